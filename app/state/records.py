"""Small facts in a file: JSON with a checksum, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zlib import crc32


class RecordDamaged(Exception):
    """The file is not what was written."""


def write_record(path: Path, facts: dict[str, Any]) -> None:
    """On the disk when it returns: what it says must outlive a power-off."""
    text = json.dumps(facts, sort_keys=True)
    new = path.with_name(path.name + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(f"{crc32(text.encode()):08x} {text}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_record(path: Path) -> dict[str, Any] | None:
    """None if there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        found = file.read()
    checksum, _, text = found.removesuffix(b"\n").partition(b" ")
    if checksum != f"{crc32(text):08x}".encode() or not found.endswith(b"\n"):
        raise RecordDamaged(f"{path.name} fails its checksum")
    facts: dict[str, Any] = json.loads(text)
    return facts
