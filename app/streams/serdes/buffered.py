"""A record that waits in a time-ordered buffer: its value, and the context it came in (reference 2.5).

Written in layout 3 of the suppress buffer's changelog, read in 0 to 3 (Java: BufferValue, ProcessorRecordContext,
TimeOrderedKeyValueBufferChangelogDeserializationHelper).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from app.streams.model import Headers

VERSION_HEADER: Final = "v"
CHANGELOG_HEADERS: Final[Headers] = ((VERSION_HEADER, b"\x03"),)

_NULL: Final = -1
_SAME_AS_PRIOR: Final = -2
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_TWO_LONGS = struct.Struct(">qq")


class Origin(NamedTuple):
    """Where a record came from and when (ProcessorRecordContext)."""

    timestamp: int
    offset: int
    topic: str
    partition: int
    headers: Headers

    def size(self) -> int:
        """Bytes Java counts for it: timestamp, offset, topic, partition, headers."""
        total = 20 + len(self.topic)
        for name, value in self.headers:
            total += len(name) + (0 if value is None else len(value))
        return total


class Buffered(NamedTuple):
    """prior: the value before the first buffered update; old and new: of the last one. All as bytes."""

    prior: bytes | None
    old: bytes | None
    new: bytes | None
    origin: Origin

    def size(self) -> int:
        """Bytes Java counts for it; an old value identical to the prior one takes none."""
        prior, old, new, origin = self
        total = origin.size() + (0 if prior is None else len(prior)) + (0 if new is None else len(new))
        return total if old is None or old == prior else total + len(old)


def write_buffered(value: Buffered, time: int) -> bytes:
    """Layout 3: context ‖ prior ‖ old (-2 if it is the prior one) ‖ new ‖ 8 B buffer time."""
    prior, old, new, origin = value
    parts = _write_origin(origin)
    parts += _write_nullable(prior)
    if old is not None and old == prior:
        parts.append(_INT.pack(_SAME_AS_PRIOR))
    else:
        parts += _write_nullable(old)
    parts += _write_nullable(new)
    parts.append(_LONG.pack(time))
    return b"".join(parts)


def read_buffered(data: bytes) -> tuple[Buffered, int]:
    """The record and its buffer time, from layout 3."""
    reader = _Reader(data)
    value = _read_value(reader)
    return value, reader.long()


def read_changelog(
    data: bytes, headers: Mapping[str, bytes | None], prior: bytes | None, origin: Origin
) -> tuple[Buffered, int]:
    """The record and its buffer time from a changelog row of any layout.

    prior: that of the row already in the buffer, which layouts 0 and 1 do not hold. origin: the changelog row's own,
    which layout 0 takes for the record's. Raises ValueError for an unknown layout.
    """
    version = headers.get(VERSION_HEADER)
    if VERSION_HEADER not in headers:
        return _read_0(data, prior, origin)
    if version == b"\x03":
        return read_buffered(data)
    if version == b"\x02":
        # Layout 3 was written under this number too, for a while.
        try:
            return _read_2(data)
        except (ValueError, struct.error):
            return read_buffered(data)
    if version == b"\x01":
        return _read_1(data, prior)
    raise ValueError(f"{version!r} is no layout of a suppress buffer's changelog")


def _read_0(data: bytes, prior: bytes | None, origin: Origin) -> tuple[Buffered, int]:
    reader = _Reader(data)
    time = reader.long()
    old, new = reader.nullable(), reader.nullable()
    return Buffered(old if prior is None else prior, old, new, origin), time


def _read_1(data: bytes, prior: bytes | None) -> tuple[Buffered, int]:
    reader = _Reader(data)
    time = reader.long()
    origin = _read_origin(reader)
    old, new = _read_legacy_change(reader)
    return Buffered(old if prior is None else prior, old, new, origin), time


def _read_2(data: bytes) -> tuple[Buffered, int]:
    reader = _Reader(data)
    origin = _read_origin(reader)
    old, new = _read_legacy_change(reader)
    prior = reader.nullable()
    return Buffered(prior, old, new, origin), reader.long()


def _read_legacy_change(reader: _Reader) -> tuple[bytes | None, bytes | None]:
    """Old and new value, together behind one length."""
    both = reader.nullable()
    if both is None:
        raise ValueError("a buffered change cannot be null")
    inner = _Reader(both)
    return inner.nullable(), inner.nullable()


def _read_value(reader: _Reader) -> Buffered:
    origin = _read_origin(reader)
    prior = reader.nullable()
    length = reader.integer()
    old = prior if length == _SAME_AS_PRIOR else reader.take(length)
    return Buffered(prior, old, reader.nullable(), origin)


def _write_nullable(value: bytes | None) -> list[bytes]:
    return [_INT.pack(_NULL)] if value is None else [_INT.pack(len(value)), value]


def _write_origin(origin: Origin) -> list[bytes]:
    parts = [_TWO_LONGS.pack(origin.timestamp, origin.offset), *_write_nullable(origin.topic.encode())]
    parts += (_INT.pack(origin.partition), _INT.pack(len(origin.headers)))
    for name, value in origin.headers:
        parts += _write_nullable(name.encode())
        parts += _write_nullable(value)
    return parts


def _read_origin(reader: _Reader) -> Origin:
    timestamp, offset = reader.long(), reader.long()
    topic = reader.text()
    partition, count = reader.integer(), reader.integer()
    # -1 headers: written before headers were kept.
    headers = tuple((reader.text(), reader.nullable()) for _ in range(count))
    return Origin(timestamp, offset, topic, partition, headers)


class _Reader:
    """Takes fields off the front of some bytes. Raises ValueError or struct.error where they end too early."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def integer(self) -> int:
        value: int = _INT.unpack_from(self._data, self._at)[0]
        self._at += 4
        return value

    def long(self) -> int:
        value: int = _LONG.unpack_from(self._data, self._at)[0]
        self._at += 8
        return value

    def take(self, length: int) -> bytes | None:
        if length == _NULL:
            return None
        end = self._at + length
        if length < 0 or end > len(self._data):
            raise ValueError(f"a field of {length} bytes at {self._at} of {len(self._data)}")
        value = self._data[self._at : end]
        self._at = end
        return value

    def nullable(self) -> bytes | None:
        return self.take(self.integer())

    def text(self) -> str:
        value = self.nullable()
        if value is None:
            raise ValueError("a name cannot be null")
        return value.decode()
