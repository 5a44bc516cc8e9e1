"""Java's built-in serdes, byte for byte."""

from __future__ import annotations

import struct
import uuid as _uuid
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from app.streams.serdes.serde import Serde

T = TypeVar("T")


class _Plain(Generic[T]):
    """A serde that does not look at the topic. width: bytes of every value, if they are always the same number."""

    __slots__ = ("_deserialize", "_name", "_serialize", "width")

    def __init__(
        self, name: str, serialize: Callable[[T], bytes], deserialize: Callable[[bytes], T], width: int | None = None
    ) -> None:
        self._name = name
        self._serialize = serialize
        self._deserialize = deserialize
        self.width = width

    def serializer(self, topic: str) -> Callable[[T], bytes]:
        return self._serialize

    def deserializer(self, topic: str) -> Callable[[bytes], T]:
        return self._deserialize

    def __repr__(self) -> str:
        return self._name


def _same(value: bytes) -> bytes:
    # A str would pass through unnoticed otherwise, and fail only at the broker.
    if type(value) is not bytes:
        raise TypeError(f"the raw serde takes bytes, got {type(value).__name__}")
    return value


_INT32 = struct.Struct(">i")
_INT64 = struct.Struct(">q")
_FLOAT64 = struct.Struct(">d")


def _read_int32(data: bytes) -> int:
    value: int = _INT32.unpack(data)[0]
    return value


def _read_int64(data: bytes) -> int:
    value: int = _INT64.unpack(data)[0]
    return value


def _read_float64(data: bytes) -> float:
    value: float = _FLOAT64.unpack(data)[0]
    return value


def _read_utf8(data: bytes) -> str:
    """As StringDeserializer, which replaces malformed bytes by U+FFFD instead of failing."""
    try:
        return data.decode()  # an error handler, even one that is not needed, costs as much again
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def _write_uuid(value: _uuid.UUID) -> bytes:
    return str(value).encode()


def _read_uuid(data: bytes) -> _uuid.UUID:
    return _uuid.UUID(data.decode())


utf8: Final[Serde[str]] = _Plain("utf8", str.encode, _read_utf8)
raw: Final[Serde[bytes]] = _Plain("raw", _same, _same)
int32: Final[Serde[int]] = _Plain("int32", _INT32.pack, _read_int32, width=4)
int64: Final[Serde[int]] = _Plain("int64", _INT64.pack, _read_int64, width=8)
float64: Final[Serde[float]] = _Plain("float64", _FLOAT64.pack, _read_float64, width=8)
# As UUIDSerializer: the text form.
uuid: Final[Serde[_uuid.UUID]] = _Plain("uuid", _write_uuid, _read_uuid, width=36)
