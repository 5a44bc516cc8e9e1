"""Kafka's files: which they are, and whether those in the cache are they."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.errors import ConfigError

KAFKA_VERSION = "4.3.1"
PINS = Path(__file__).with_name("jars.txt")


@dataclass(frozen=True)
class Jar:
    """One file: `group`, `artifact` and `version` are its Maven coordinates, `size` is in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def pinned() -> tuple[Jar, ...]:
    return tuple(_parse(line) for line in PINS.read_text().splitlines() if not line.startswith("#"))


def _parse(line: str) -> Jar:
    sha256, size, coordinates = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256, int(size))


def missing(folder: Path, jars: tuple[Jar, ...]) -> tuple[Jar, ...]:
    """Those that are not in `folder`, or are not what was pinned: cut short, altered."""
    return tuple(jar for jar in jars if not is_intact(folder / jar.file_name, jar))


def is_intact(file: Path, jar: Jar) -> bool:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def provide(cache: Path, fetch: Callable[[Path, tuple[Jar, ...]], None]) -> tuple[Path, ...]:
    """The class path, every file of it verified. What is missing is fetched, by one process at a time."""
    if os.pathsep in str(cache):
        raise ConfigError(f"APP_BROKER__CACHE_DIR: {cache} holds a '{os.pathsep}', which Java takes for two folders")
    folder = cache / f"kafka-{KAFKA_VERSION}"
    jars = pinned()
    try:
        if missing(folder, jars):
            with _locked(folder):
                # Another process may have fetched them while this one waited for the lock.
                if needed := missing(folder, jars):
                    fetch(folder, needed)
    except OSError as error:
        raise ConfigError(f"APP_BROKER__CACHE_DIR: cannot keep Kafka's files in {folder}: {error}") from error
    return tuple(folder / jar.file_name for jar in jars)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "fetching.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
