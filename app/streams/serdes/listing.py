"""Lists in Java's two forms (ListSerde): entries with their lengths, or of constant size and a list of nulls."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from app.streams.serdes.serde import Serde, fixed_width

T = TypeVar("T")

CONSTANT_SIZE: Final = 0
VARIABLE_SIZE: Final = 1
_NULL_ENTRY: Final = -1
_INT = struct.Struct(">i")


class ListSerde(Generic[T]):
    """Entries may be None."""

    __slots__ = ("_width", "inner")

    def __init__(self, inner: Serde[T]) -> None:
        self.inner = inner
        self._width = fixed_width(inner)

    def serializer(self, topic: str) -> Callable[[Sequence[T | None]], bytes]:
        serialize = self.inner.serializer(topic)
        write = write_variable if self._width is None else write_constant
        return lambda values: write([None if value is None else serialize(value) for value in values])

    def deserializer(self, topic: str) -> Callable[[bytes], list[T | None]]:
        deserialize, width = self.inner.deserializer(topic), self._width

        def read(data: bytes) -> list[T | None]:
            return [None if entry is None else deserialize(entry) for entry in read_list(data, width)]

        return read

    def __repr__(self) -> str:
        return f"listing({self.inner!r})"


def listing(inner: Serde[T]) -> ListSerde[T]:
    """Lists of `inner`."""
    return ListSerde(inner)


def write_variable(entries: Sequence[bytes | None]) -> bytes:
    """`01` ‖ int count ‖ (int length, -1 for null ‖ bytes)*"""
    parts = [b"\x01", _INT.pack(len(entries))]
    for entry in entries:
        if entry is None:
            parts.append(_INT.pack(_NULL_ENTRY))
        else:
            parts += (_INT.pack(len(entry)), entry)
    return b"".join(parts)


def write_constant(entries: Sequence[bytes | None]) -> bytes:
    """`00` ‖ int number of nulls ‖ int index each ‖ int count ‖ the others without length"""
    nulls = [index for index, entry in enumerate(entries) if entry is None]
    parts = [b"\x00", _INT.pack(len(nulls)), *map(_INT.pack, nulls), _INT.pack(len(entries))]
    parts += [entry for entry in entries if entry is not None]
    return b"".join(parts)


def read_list(data: bytes, width: int | None = None) -> list[bytes | None]:
    """The entries of either form; width: bytes of an entry of constant size. Raises ValueError for anything else."""
    try:
        if data[0] == VARIABLE_SIZE:
            return _read_variable(data)
        if data[0] == CONSTANT_SIZE and width is not None:
            return _read_constant(data, width)
    except (struct.error, IndexError) as short:
        raise ValueError(f"a serialized list of {len(data)} bytes ends too early") from short
    raise ValueError(f"{data[0]:#04x} begins no list of {'variable' if width is None else 'constant'} entry size")


def _read_variable(data: bytes) -> list[bytes | None]:
    (count,) = _INT.unpack_from(data, 1)
    at = 5
    entries: list[bytes | None] = []
    for _ in range(count):
        (length,) = _INT.unpack_from(data, at)
        at += 4
        if length == _NULL_ENTRY:
            entries.append(None)
            continue
        entries.append(_take(data, at, length))
        at += length
    return entries


def _read_constant(data: bytes, width: int) -> list[bytes | None]:
    (missing,) = _INT.unpack_from(data, 1)
    nulls = {_INT.unpack_from(data, 5 + 4 * index)[0] for index in range(missing)}
    at = 5 + 4 * missing
    (count,) = _INT.unpack_from(data, at)
    at += 4
    entries: list[bytes | None] = []
    for index in range(count):
        if index in nulls:
            entries.append(None)
            continue
        entries.append(_take(data, at, width))
        at += width
    return entries


def _take(data: bytes, at: int, length: int) -> bytes:
    if length < 0 or at + length > len(data):
        raise IndexError(at)
    return data[at : at + length]
