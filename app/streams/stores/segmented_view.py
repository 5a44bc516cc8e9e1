"""What reading window stores and reading session stores have in common: rows in segments of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from app.streams.stores.base import Base
from app.streams.stores.overlay import Readable
from app.streams.stores.segments import Segments
from app.streams.stores.specs import SessionSpec, WindowSpec

K = TypeVar("K")
S = TypeVar("S", bound=WindowSpec | SessionSpec)


class Time(Protocol):
    """What decides which rows are shown."""

    @property
    def retention(self) -> int: ...
    @property
    def stream_time(self) -> int: ...
    @property
    def segments(self) -> Segments: ...


class Clock:
    """The store's own stream time, and the segments it keeps alive (A7)."""

    __slots__ = ("retention", "segments", "stream_time")

    def __init__(self, retention: int, base: Base) -> None:
        self.stream_time = base.marks().stream_time
        self.retention = retention
        self.segments = Segments(retention, base.prefixes(), self.stream_time)


class CommittedTime:
    """As of the last apply: what was put since hides nothing of what is committed."""

    __slots__ = ("_base", "retention")

    def __init__(self, retention: int, base: Base) -> None:
        self.retention = retention
        self._base = base

    @property
    def stream_time(self) -> int:
        return self._base.marks().stream_time

    @property
    def segments(self) -> Segments:
        return Segments(self.retention, self._base.prefixes(), self.stream_time)


class SegmentedView(Generic[K, S]):
    """Where the rows are, and what their keys are made of."""

    __slots__ = ("_clock", "_deserialize_key", "_rows", "_serialize_key", "_spec")

    def __init__(
        self,
        spec: S,
        rows: Readable,
        clock: Time,
        serialize_key: Callable[[K], bytes],
        deserialize_key: Callable[[bytes], K],
    ) -> None:
        self._spec = spec
        self._rows = rows
        self._clock: Time = clock
        self._serialize_key = serialize_key
        self._deserialize_key = deserialize_key

    @property
    def key_bytes(self) -> Callable[[K], bytes]:
        """The serializer of keys: a caller with several operations on one key needs it only once."""
        return self._serialize_key

    def _segments(self, earliest: int, latest: int) -> list[bytes]:
        return self._clock.segments.between(earliest, latest)
