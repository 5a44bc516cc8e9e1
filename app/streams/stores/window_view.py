"""Reading window stores (I3): what a row's key is, which rows are shown, and in what order.

Where Java's persistent and in-memory stores differ, `spec.persistent` decides: in what they still show, and in the
order of scans over several keys. `spec.time_ordered` is Java's store for emission on window close: it shows one
millisecond more, and its rows are found by time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

from app.streams.model import Windowed
from app.streams.stores.overlay import Entry
from app.streams.stores.segmented_view import SegmentedView
from app.streams.stores.segments import LARGEST_LONG, after_segment, highest_row, time_index
from app.streams.stores.specs import WindowSpec

K = TypeVar("K")
V = TypeVar("V")

# A row's key: segment ‖ key ‖ start ‖ sequence; behind the segment it is the key of the changelog.
PREFIX: Final = 8
SUFFIX: Final = 12
_LARGEST_INT: Final = 0x7FFFFFFF
START_SEQUENCE = struct.Struct(">qI")
TIMESTAMP = struct.Struct(">q")
_ABOVE_ALL: Final = b"\xff" * SUFFIX


class WindowView(SegmentedView[K, WindowSpec], Generic[K, V]):
    """Reading. A value is `(value, timestamp)` in a timestamped store. Times are starts of windows, both included."""

    __slots__ = ()

    def get(self, key: K, start: int) -> V | None:
        return self.get_row(self._serialize_key(key), start)

    def get_row(self, key: bytes, start: int) -> V | None:
        """`get` for a key that is at hand in its serialized form."""
        if start < self._earliest():
            return None
        entry: Any = self._rows.get(self._clock.segments.prefix(start) + key + START_SEQUENCE.pack(start, 0))
        return None if entry is None else self._shown(entry)

    def fetch(self, key: K, time_from: int, time_to: int) -> Iterator[tuple[int, V]]:
        """(start, value) of one key, by start, then in the order they were put."""
        return iter(self.fetch_row(self._serialize_key(key), time_from, time_to))

    def backward_fetch(self, key: K, time_from: int, time_to: int) -> Iterator[tuple[int, V]]:
        return reversed(self.fetch_row(self._serialize_key(key), time_from, time_to))

    def fetch_row(self, key: bytes, time_from: int, time_to: int) -> list[tuple[int, V]]:
        """`fetch` for a key that is at hand in its serialized form."""
        time_from = max(time_from, self._earliest(), 0)
        if time_to < time_from:
            return []
        lo = START_SEQUENCE.pack(time_from, 0)
        hi = _ABOVE_ALL if time_to >= LARGEST_LONG else START_SEQUENCE.pack(time_to + 1, 0)
        group = self._rows.group
        found: list[tuple[bytes, Entry]] = []
        for segment in self._segments(time_from, time_to):
            found += group(segment + key, lo, hi)
        unpack = TIMESTAMP.unpack_from
        if self._spec.timestamped:
            return [(unpack(row, len(row) - SUFFIX)[0], self._shown(entry)) for row, entry in found]
        return [(unpack(row, len(row) - SUFFIX)[0], entry[0]) for row, entry in found]

    def fetch_keys(
        self, key_from: K | None, key_to: K | None, time_from: int, time_to: int
    ) -> Iterator[tuple[Windowed[K], V]]:
        """Rows of all keys between two; None is no bound."""
        return self._keys_between(key_from, key_to, time_from, time_to, reverse=False)

    def backward_fetch_keys(
        self, key_from: K | None, key_to: K | None, time_from: int, time_to: int
    ) -> Iterator[tuple[Windowed[K], V]]:
        return self._keys_between(key_from, key_to, time_from, time_to, reverse=True)

    def fetch_all(self, time_from: int, time_to: int) -> Iterator[tuple[Windowed[K], V]]:
        """Rows of all keys."""
        return self._decoded(self._by_time(time_from, time_to, reverse=False))

    def backward_fetch_all(self, time_from: int, time_to: int) -> Iterator[tuple[Windowed[K], V]]:
        return self._decoded(self._by_time(time_from, time_to, reverse=True))

    def all(self) -> Iterator[tuple[Windowed[K], V]]:
        return self.fetch_all(0, LARGEST_LONG)

    def backward_all(self) -> Iterator[tuple[Windowed[K], V]]:
        return self.backward_fetch_all(0, LARGEST_LONG)

    def _earliest(self) -> int:
        """Starts before this are hidden, in the store or not."""
        late = 0 if self._spec.time_ordered and self._spec.persistent else 1
        return self._clock.stream_time - self._clock.retention + late

    def _shown(self, entry: Entry) -> Any:
        return (entry[0], entry[1]) if self._spec.timestamped else entry[0]

    def _keys_between(
        self, key_from: K | None, key_to: K | None, time_from: int, time_to: int, *, reverse: bool
    ) -> Iterator[tuple[Windowed[K], V]]:
        lo = None if key_from is None else self._serialize_key(key_from)
        hi = None if key_to is None else self._serialize_key(key_to)
        if lo is not None and hi is not None and lo > hi:
            return iter(())
        rows = self._scan(lo, hi, (time_from, time_to), reverse)
        if not self._spec.persistent:
            rows = iter(sorted(rows, key=by_start, reverse=reverse))
        return self._decoded(rows)

    def _by_time(self, time_from: int, time_to: int, *, reverse: bool) -> Iterator[tuple[bytes, Entry]]:
        if self._spec.time_ordered:
            return self._indexed(time_from, time_to, reverse)
        rows = self._scan(None, None, (time_from, time_to), reverse)
        return rows if self._spec.persistent else iter(sorted(rows, key=by_start, reverse=reverse))

    def _scan(
        self, lo: bytes | None, hi: bytes | None, times: tuple[int, int], reverse: bool
    ) -> Iterator[tuple[bytes, Entry]]:
        """Rows with lo ≤ key ≤ hi, in the order of segments."""
        time_from, time_to = max(times[0], self._earliest(), 0), times[1]
        if time_to < time_from:
            return
        segments = self._segments(time_from, time_to)
        bound = None if hi is None else highest_row(hi, START_SEQUENCE.pack(time_to, _LARGEST_INT)) + b"\x00"
        for segment in reversed(segments) if reverse else segments:
            first = segment if lo is None else segment + lo
            end = after_segment(segment) if bound is None else segment + bound
            for row, entry in self._rows.scan(first, end, reverse):
                start = start_of(row)
                if not time_from <= start <= time_to:
                    continue
                # A bound on rows lets pass keys that are longer or shorter than the bound itself.
                key = row[PREFIX:-SUFFIX]
                if (lo is None or key >= lo) and (hi is None or key <= hi):
                    yield row, entry

    def _indexed(self, time_from: int, time_to: int, reverse: bool) -> Iterator[tuple[bytes, Entry]]:
        """Rows by (start, key, sequence), at the cost of the rows found."""
        time_from = max(time_from, self._earliest(), 0)
        if time_to < time_from:
            return
        segments = self._segments(time_from, time_to)
        lo = TIMESTAMP.pack(time_from)
        hi = None if time_to >= LARGEST_LONG else TIMESTAMP.pack(time_to + 1)
        get = self._rows.get
        for segment in reversed(segments) if reverse else segments:
            index = time_index(segment)
            end = after_segment(index) if hi is None else index + hi
            for found in self._rows.keys(index + lo, end, reverse):
                row = segment + found[16:-4] + found[8:16] + found[-4:]
                entry = get(row)
                if entry is not None:
                    yield row, entry

    def _decoded(self, rows: Iterator[tuple[bytes, Entry]]) -> Iterator[tuple[Windowed[K], V]]:
        deserialize, size, shown = self._deserialize_key, self._spec.size, self._shown
        for row, entry in rows:
            start = start_of(row)
            window = Windowed(deserialize(row[PREFIX:-SUFFIX]), start, min(start + size, LARGEST_LONG))
            yield window, shown(entry)


def start_of(row: bytes) -> int:
    start: int = TIMESTAMP.unpack_from(row, len(row) - SUFFIX)[0]
    return start


def by_start(row: tuple[bytes, Entry]) -> tuple[bytes, bytes]:
    """The order of Java's in-memory store: start, then key and sequence."""
    key = row[0]
    return key[-SUFFIX:-4], key[PREFIX:-SUFFIX] + key[-4:]
