"""Windowed keys on user topics (reference 2.4; Java: TimeWindowedSerde, SessionWindowedSerde)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from app.streams.model import Windowed
from app.streams.serdes.serde import Serde

K = TypeVar("K")

LARGEST_LONG: Final = 2**63 - 1
_START = struct.Struct(">q")
_END_START = struct.Struct(">qq")


class WindowedSerde(Generic[K]):
    """key ‖ start. The end is not written: without `size` (ms) the reader takes the end of time for it."""

    __slots__ = ("inner", "size")

    def __init__(self, inner: Serde[K], size: int | None = None) -> None:
        self.inner = inner
        self.size = size

    def serializer(self, topic: str) -> Callable[[Windowed[K]], bytes]:
        serialize, pack = self.inner.serializer(topic), _START.pack
        return lambda windowed: serialize(windowed.key) + pack(windowed.start)

    def deserializer(self, topic: str) -> Callable[[bytes], Windowed[K]]:
        deserialize, size = self.inner.deserializer(topic), self.size

        def read(data: bytes) -> Windowed[K]:
            start: int = _START.unpack(data[-8:])[0]
            end = LARGEST_LONG if size is None else min(start + size, LARGEST_LONG)
            return Windowed(deserialize(data[:-8]), start, end)

        return read

    def __repr__(self) -> str:
        return f"windowed({self.inner!r}, {self.size})"


class SessionWindowedSerde(Generic[K]):
    """key ‖ end ‖ start."""

    __slots__ = ("inner",)

    def __init__(self, inner: Serde[K]) -> None:
        self.inner = inner

    def serializer(self, topic: str) -> Callable[[Windowed[K]], bytes]:
        serialize, pack = self.inner.serializer(topic), _END_START.pack
        return lambda windowed: serialize(windowed.key) + pack(windowed.end, windowed.start)

    def deserializer(self, topic: str) -> Callable[[bytes], Windowed[K]]:
        deserialize = self.inner.deserializer(topic)

        def read(data: bytes) -> Windowed[K]:
            end, start = _END_START.unpack(data[-16:])
            return Windowed(deserialize(data[:-16]), start, end)

        return read

    def __repr__(self) -> str:
        return f"session_windowed({self.inner!r})"


def windowed(inner: Serde[K], size: int | None = None) -> WindowedSerde[K]:
    """Keys in time or sliding windows of `size` ms."""
    return WindowedSerde(inner, size)


def session_windowed(inner: Serde[K]) -> SessionWindowedSerde[K]:
    """Keys in session windows."""
    return SessionWindowedSerde(inner)
