import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.broker import jars
from app.broker.jars import Jar, is_intact, missing, pinned, provide
from app.errors import ConfigError


def jar(name: str, content: bytes) -> Jar:
    return Jar("org.example", name, "1", hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Jar, ...]:
    """Two small files stand for Kafka's."""
    wanted = (jar("a", b"content of a"), jar("b", b"content of b"))
    file = tmp_path / "pins.txt"
    file.write_text(
        "# comment\n" + "".join(f"{j.sha256} {j.size:>8} {j.group}:{j.artifact}:{j.version}\n" for j in wanted)
    )
    monkeypatch.setattr(jars, "PINS", file)
    return wanted


class Shelf:
    """The far side: gives the files it is asked for, and remembers which."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, folder: Path, needed: tuple[Jar, ...]) -> None:
        for each in needed:
            self.asked.append(each.artifact)
            (folder / each.file_name).write_bytes(f"content of {each.artifact}".encode())


def test_all_of_kafka_is_pinned() -> None:
    listed = pinned()
    assert len({each.file_name for each in listed}) == len(listed) == 46
    assert {each.version for each in listed if each.group == "org.apache.kafka"} == {jars.KAFKA_VERSION}
    assert all(len(each.sha256) == 64 for each in listed)
    # What Kafka logs through must fit what it logs with.
    assert len({each.version for each in listed if each.group == "org.apache.logging.log4j"}) == 1


def test_what_is_missing_is_fetched_once(pins: tuple[Jar, ...], tmp_path: Path) -> None:
    shelf = Shelf()
    files = provide(tmp_path / "cache", shelf)
    assert [file.read_bytes() for file in files] == [b"content of a", b"content of b"]
    assert provide(tmp_path / "cache", shelf) == files
    assert shelf.asked == ["a", "b"]


@pytest.mark.parametrize("damage", [b"content of A", b"content", b""])
def test_a_damaged_file_is_noticed_and_fetched_again(pins: tuple[Jar, ...], tmp_path: Path, damage: bytes) -> None:
    shelf = Shelf()
    files = provide(tmp_path / "cache", shelf)
    files[1].write_bytes(damage)
    assert provide(tmp_path / "cache", shelf)[1].read_bytes() == b"content of b"
    assert shelf.asked == ["a", "b", "b"]


def test_of_two_first_starts_one_fetches(pins: tuple[Jar, ...], tmp_path: Path) -> None:
    shelf = Shelf()
    entered, both = threading.Event(), threading.Event()

    def slowly(folder: Path, needed: tuple[Jar, ...]) -> None:
        entered.set()
        both.wait(10)
        shelf(folder, needed)

    threads = [threading.Thread(target=provide, args=(tmp_path / "cache", slowly)) for _ in range(2)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    both.set()
    for thread in threads:
        thread.join(10)
    assert shelf.asked == ["a", "b"]


def test_other_files_of_the_folder_are_not_on_the_class_path(pins: tuple[Jar, ...], tmp_path: Path) -> None:
    (tmp_path / f"kafka-{jars.KAFKA_VERSION}").mkdir()
    (tmp_path / f"kafka-{jars.KAFKA_VERSION}" / "evil.jar").write_bytes(b"x")
    assert {file.name for file in provide(tmp_path, Shelf())} == {each.file_name for each in pins}


def test_a_pin_is_by_content(tmp_path: Path) -> None:
    wanted = jar("a", b"1234")
    (tmp_path / wanted.file_name).write_bytes(b"1234")
    assert is_intact(tmp_path / wanted.file_name, wanted)
    assert missing(tmp_path, (replace(wanted, sha256="0" * 64),))


def test_a_cache_that_cannot_be_is_told(pins: tuple[Jar, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"^APP_BROKER__CACHE_DIR: cannot keep Kafka's files in .*Not a directory"):
        provide(tmp_path / "file", Shelf())
    with pytest.raises(ConfigError, match=f"^APP_BROKER__CACHE_DIR: .* holds a '{os.pathsep}'"):
        provide(tmp_path / f"a{os.pathsep}b", Shelf())
