"""How window and session stores forget: rows live in segments of time, and go with them (I3, I4).

Java opens a RocksDB instance for a segment; here it is the first 8 bytes of a row's key, so that a segment is dropped
as a whole and rows come out in Java's order: by segment, then by key.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from typing import Final

LARGEST_LONG: Final = 2**63 - 1
_SMALLEST_INTERVAL: Final = 60_000

_PREFIX = struct.Struct(">Q")
# Above every segment: rows that scans by time look up, and rows that are logged but were refused.
_TIME_INDEX: Final = 1 << 63
FIRST_INDEX: Final = _PREFIX.pack(_TIME_INDEX)
NO_SEGMENT: Final = b"\xff" * 8


class Segments:
    """The segments some row was put into, from the oldest that is alive. retention in ms."""

    __slots__ = ("_dropped", "_ids", "_oldest", "_retention", "interval", "newest", "newest_prefix")

    def __init__(self, retention: int, prefixes: list[bytes], stream_time: int) -> None:
        self._retention = retention
        self.interval = max(retention // 2, _SMALLEST_INTERVAL)
        self._ids = [_PREFIX.unpack(prefix)[0] for prefix in prefixes if prefix[0] < 0x80]
        self._dropped: list[int] = []
        self._oldest = self._oldest_at(stream_time)
        # Nearly all rows are put into the newest segment and read from it.
        self.newest, self.newest_prefix = -1, b""
        self._note_newest()

    def of(self, time: int, stream_time: int) -> bytes | None:
        """The prefix of the segment that takes a row of this time; None if it is gone already."""
        oldest = self._oldest_at(stream_time)
        if oldest > self._oldest:
            self._oldest = oldest
            self._drop_before(oldest)
        segment = time // self.interval
        if segment < oldest:
            return None
        if segment == self.newest:
            return self.newest_prefix
        ids = self._ids
        at = bisect_left(ids, segment)
        if at == len(ids) or ids[at] != segment:
            ids.insert(at, segment)
            self._note_newest()
        return _PREFIX.pack(segment)

    def prefix(self, time: int) -> bytes:
        """The prefix of a time's segment, dead or alive."""
        return _PREFIX.pack(time // self.interval)

    def between(self, earliest: int, latest: int) -> list[bytes]:
        """Prefixes of the segments with times between the two, oldest first."""
        first, last = max(earliest, 0) // self.interval, latest // self.interval
        if first == last == self.newest:
            return [self.newest_prefix]
        ids = self._ids
        return [_PREFIX.pack(segment) for segment in ids[bisect_left(ids, first) : bisect_right(ids, last)]]

    def is_live(self, row: bytes) -> bool:
        """Whether a row may enter the base: its segment has not been dropped since it was put."""
        segment: int = _PREFIX.unpack_from(row)[0]
        return self._oldest <= segment & ~_TIME_INDEX and row[:8] != NO_SEGMENT

    def first_alive(self) -> bytes:
        """No row below it may enter the base: its segment has been dropped since it was put."""
        return _PREFIX.pack(max(self._oldest, 0))

    def take_dropped(self) -> list[bytes]:
        """Prefixes whose rows are to go from the base, with their time index."""
        dropped, self._dropped = self._dropped, []
        return [_PREFIX.pack(tag | segment) for segment in dropped for tag in (0, _TIME_INDEX)]

    def _oldest_at(self, stream_time: int) -> int:
        return (stream_time - self._retention) // self.interval

    def _drop_before(self, oldest: int) -> None:
        keep = bisect_left(self._ids, oldest)
        self._dropped += self._ids[:keep]
        del self._ids[:keep]
        self._note_newest()

    def _note_newest(self) -> None:
        self.newest = self._ids[-1] if self._ids else -1
        self.newest_prefix = _PREFIX.pack(max(self.newest, 0))


def time_index(segment: bytes) -> bytes:
    """The prefix under which a segment's rows are found by time."""
    return bytes((segment[0] | 0x80,)) + segment[1:]


def after_segment(segment: bytes) -> bytes:
    """The least key behind all rows of a segment."""
    return _PREFIX.pack(_PREFIX.unpack(segment)[0] + 1)


def highest_row(key: bytes, suffix: bytes) -> bytes:
    """A bound: no row of a key ≤ `key` is higher, if no suffix is higher than `suffix`."""
    return max(key[:length] + suffix for length in range(len(key) + 1))
