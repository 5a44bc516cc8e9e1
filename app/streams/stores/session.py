"""Session stores (I5): rows of a key by the end and the start of their session.

Where Java's persistent and in-memory stores differ, `spec.persistent` decides, as for windows. Sessions found by their
end (`spec.time_ordered`: for emission on close) are shown until their segment is dropped, hidden or not.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import groupby
from typing import Any, Final, Generic, TypeVar

from app.streams.errors import StoreRefused
from app.streams.model import Row, Windowed
from app.streams.stores.base import Marks
from app.streams.stores.overlay import Committed, Entry
from app.streams.stores.segmented_view import Clock, CommittedTime, SegmentedView
from app.streams.stores.segments import LARGEST_LONG, NO_SEGMENT, after_segment, highest_row, time_index
from app.streams.stores.slices import ALL, pieces
from app.streams.stores.specs import LoggedHeaders, SessionSpec
from app.streams.stores.stage import Stage, Staged, Writes
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics, last_of_each_key

K = TypeVar("K")
V = TypeVar("V")

# A row's key: segment ‖ key ‖ end ‖ start; behind the segment it is the key of the changelog.
PREFIX: Final = 8
SUFFIX: Final = 16
END_START = struct.Struct(">qq")
_TIME = struct.Struct(">q")
_ABOVE_ALL: Final = b"\xff" * SUFFIX
_HIGHEST: Final = END_START.pack(LARGEST_LONG, LARGEST_LONG)


class SessionView(SegmentedView[K, SessionSpec], Generic[K, V]):
    """Reading. A session is [start, end] in ms, both included."""

    __slots__ = ()

    def get(self, key: K, start: int, end: int) -> V | None:
        """One session (Java: fetchSession)."""
        if end < self._earliest():
            return None
        prefix = self._clock.segments.prefix(end)
        entry = self._rows.get(prefix + self._serialize_key(key) + END_START.pack(end, start))
        return None if entry is None else entry[0]

    def find_sessions(self, key: K, earliest_end: int, latest_start: int) -> Iterator[tuple[Windowed[K], V]]:
        """Sessions of a key with end ≥ earliest_end and start ≤ latest_start, by (end, start); in memory by end, the
        latest start first."""
        return (
            (Windowed(key, start, end), value)
            for start, end, value in self.find_row(self._serialize_key(key), earliest_end, latest_start)
        )

    def backward_find_sessions(self, key: K, earliest_end: int, latest_start: int) -> Iterator[tuple[Windowed[K], V]]:
        rows = self._of_key(self._serialize_key(key), earliest_end, latest_start)
        rows = list(self._in_memory_order(rows, True)) if not self._spec.persistent else rows[::-1]
        return ((Windowed(key, *bounds_of(row)), entry[0]) for row, entry in rows)

    def find_row(self, key: bytes, earliest_end: int, latest_start: int) -> list[tuple[int, int, V]]:
        """`find_sessions` for a key that is at hand in its serialized form: (start, end, value)."""
        rows: Iterable[tuple[bytes, Entry]] = self._of_key(key, earliest_end, latest_start)
        if not self._spec.persistent:
            rows = self._in_memory_order(rows, False)
        return [(*bounds_of(row), entry[0]) for row, entry in rows]

    def find_sessions_of_keys(
        self, key_from: K | None, key_to: K | None, earliest_end: int, latest_start: int
    ) -> Iterator[tuple[Windowed[K], V]]:
        """The same over all keys between two; None is no bound."""
        return self._keys_between(key_from, key_to, (earliest_end, latest_start), reverse=False)

    def backward_find_sessions_of_keys(
        self, key_from: K | None, key_to: K | None, earliest_end: int, latest_start: int
    ) -> Iterator[tuple[Windowed[K], V]]:
        return self._keys_between(key_from, key_to, (earliest_end, latest_start), reverse=True)

    def find_sessions_by_end(self, earliest_end: int, latest_end: int) -> Iterator[tuple[Windowed[K], V]]:
        """Sessions of all keys with earliest_end ≤ end ≤ latest_end, by end. Only in stores ordered by time, or in
        memory."""
        if self._spec.persistent:
            if not self._spec.time_ordered:
                raise StoreRefused(f"session store {self._spec.name} is not ordered by time")
        else:
            earliest_end = max(earliest_end, self._earliest())
        return self._decoded(self._by_end(max(earliest_end, 0), latest_end))

    def fetch(self, key: K) -> Iterator[tuple[Windowed[K], V]]:
        """All sessions of a key."""
        return self.find_sessions(key, 0, LARGEST_LONG)

    def backward_fetch(self, key: K) -> Iterator[tuple[Windowed[K], V]]:
        return self.backward_find_sessions(key, 0, LARGEST_LONG)

    def fetch_keys(self, key_from: K | None, key_to: K | None) -> Iterator[tuple[Windowed[K], V]]:
        """All sessions of the keys between two; None is no bound."""
        return self.find_sessions_of_keys(key_from, key_to, 0, LARGEST_LONG)

    def backward_fetch_keys(self, key_from: K | None, key_to: K | None) -> Iterator[tuple[Windowed[K], V]]:
        return self.backward_find_sessions_of_keys(key_from, key_to, 0, LARGEST_LONG)

    def _earliest(self) -> int:
        """Ends before this are hidden, in the store or not (I4)."""
        return self._clock.stream_time - self._clock.retention + 1

    def _keys_between(
        self, key_from: K | None, key_to: K | None, times: tuple[int, int], *, reverse: bool
    ) -> Iterator[tuple[Windowed[K], V]]:
        lo = None if key_from is None else self._serialize_key(key_from)
        hi = None if key_to is None else self._serialize_key(key_to)
        if lo is not None and hi is not None and lo > hi:
            return iter(())
        rows = self._scan(lo, hi, times, reverse)
        return self._decoded(rows if self._spec.persistent else self._in_memory_order(rows, reverse))

    def _of_key(self, key: bytes, earliest_end: int, latest_start: int) -> list[tuple[bytes, Entry]]:
        earliest_end = max(earliest_end, self._earliest(), 0)
        lo = END_START.pack(earliest_end, 0)
        group = self._rows.group
        found: list[tuple[bytes, Entry]] = []
        for segment in self._segments(earliest_end, LARGEST_LONG):
            found += group(segment + key, lo, _ABOVE_ALL)
        if latest_start >= LARGEST_LONG:
            return found
        unpack = _TIME.unpack_from
        return [each for each in found if unpack(each[0], len(each[0]) - 8)[0] <= latest_start]

    def _in_memory_order(self, rows: Iterable[tuple[bytes, Entry]], reverse: bool) -> Iterator[tuple[bytes, Entry]]:
        return iter(sorted(rows, key=_by_end_key, reverse=reverse))

    def _scan(
        self, lo: bytes | None, hi: bytes | None, times: tuple[int, int], reverse: bool
    ) -> Iterator[tuple[bytes, Entry]]:
        """Rows with lo ≤ key ≤ hi, in the order of segments."""
        earliest_end, latest_start = max(times[0], self._earliest(), 0), times[1]
        segments = self._segments(earliest_end, LARGEST_LONG)
        bound = None if hi is None else highest_row(hi, _HIGHEST) + b"\x00"
        for segment in reversed(segments) if reverse else segments:
            first = segment if lo is None else segment + lo
            last = after_segment(segment) if bound is None else segment + bound
            for row, entry in self._rows.scan(first, last, reverse):
                start, end = bounds_of(row)
                key = row[PREFIX:-SUFFIX]
                if (
                    end >= earliest_end
                    and start <= latest_start
                    and (lo is None or key >= lo)
                    and (hi is None or key <= hi)
                ):
                    yield row, entry

    def _by_end(self, earliest_end: int, latest_end: int) -> Iterator[tuple[bytes, Entry]]:
        if not self._spec.time_ordered:
            rows = self._scan(None, None, (earliest_end, LARGEST_LONG), False)
            ended = ((row, entry) for row, entry in rows if _TIME.unpack_from(row, len(row) - SUFFIX)[0] <= latest_end)
            yield from sorted(ended, key=_by_end_key)
            return
        lo, hi = _TIME.pack(earliest_end), _TIME.pack(min(latest_end, LARGEST_LONG - 1) + 1)
        for segment in self._segments(earliest_end, latest_end):
            found = self._indexed(segment, lo, hi)
            if self._spec.persistent:
                yield from found
                continue
            for _, same_end in groupby(found, key=lambda each: each[0][-SUFFIX:-8]):
                yield from sorted(same_end, key=_by_end_key)

    def _indexed(self, segment: bytes, lo: bytes, hi: bytes) -> Iterator[tuple[bytes, Entry]]:
        """Rows of a segment by (end, start, key), at the cost of the rows found."""
        index = time_index(segment)
        for found in self._rows.keys(index + lo, index + hi):
            row = segment + found[24:] + found[8:24]
            entry = self._rows.get(row)
            if entry is not None:
                yield row, entry

    def _decoded(self, rows: Iterator[tuple[bytes, Entry]]) -> Iterator[tuple[Windowed[K], V]]:
        deserialize = self._deserialize_key
        for row, entry in rows:
            start, end = bounds_of(row)
            yield Windowed(deserialize(row[PREFIX:-SUFFIX]), start, end), entry[0]


def bounds_of(row: bytes) -> tuple[int, int]:
    """Start, end."""
    end, start = END_START.unpack_from(row, len(row) - SUFFIX)
    return start, end


def _by_end_key(row: tuple[bytes, Entry]) -> tuple[bytes, bytes, bytes]:
    """The order of Java's in-memory store: end, key, and the latest start first."""
    key = row[0]
    return key[-SUFFIX:-8], key[PREFIX:-SUFFIX], _inverted(key[-8:])


def _inverted(time: bytes) -> bytes:
    """Sorts the other way round."""
    return bytes(byte ^ 0xFF for byte in time)


def _index_row(row: bytes) -> bytes:
    """segment's index ‖ end ‖ start ‖ key."""
    return time_index(row[:PREFIX]) + row[-SUFFIX:] + row[PREFIX:-SUFFIX]


class SessionStore(Staged, SessionView[K, V]):
    """An entry is (value, timestamp, headers in the changelog)."""

    __slots__ = ("_changelog", "_ctx", "_log_deletions", "_overlay", "_serialize", "_stage", "spec")

    kind = "session"
    # Whether a record cache holds writes back and forwards them later.
    caches = False
    _clock: Clock

    def __init__(self, spec: SessionSpec, home: Home) -> None:
        self.spec = spec
        self._ctx = home.ctx
        self._changelog = Changelog(home)
        self._serialize: Callable[[Any], bytes] = spec.value.serializer(home.subject)
        deserialize = spec.value.deserializer(home.subject)
        self._stage = Stage(home, lambda data: (deserialize(data), -1, ()), SUFFIX)
        self._overlay = self._stage.overlay
        self._log_deletions = spec.log_headers is not LoggedHeaders.NONE
        clock = Clock(spec.retention, home.base)
        super().__init__(
            spec, self._overlay, clock, spec.key.serializer(home.subject), spec.key.deserializer(home.subject)
        )

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def stream_time(self) -> int:
        """Highest end that was put, in ms."""
        return self._clock.stream_time

    def put(self, key: K, start: int, end: int, value: V | None) -> None:
        """None deletes."""
        self.put_row(self._serialize_key(key), start, end, value)

    def put_row(self, key: bytes, start: int, end: int, value: V | None) -> None:
        """`put` for a key that is at hand in its serialized form."""
        segment = self._accept(end)
        if segment is None:
            self._ctx.dropped()
        self._write(segment, key + END_START.pack(end, start), value)

    def remove(self, key: K, start: int, end: int) -> None:
        self.remove_row(self._serialize_key(key), start, end)

    def remove_row(self, key: bytes, start: int, end: int) -> None:
        """`remove` for a key that is at hand in its serialized form. Never counted as dropped."""
        clock = self._clock
        if self.spec.persistent and end > clock.stream_time:
            clock.stream_time = end
        prefix = clock.segments.prefix(end)
        self._write(prefix if clock.segments.is_live(prefix) else None, key + END_START.pack(end, start), None)

    def committed(self) -> SessionView[K, V]:
        """What has been applied, and nothing newer."""
        base = self._overlay.base
        rows, time = Committed(base, self._overlay.decode), CommittedTime(self.spec.retention, base)
        return SessionView(self.spec, rows, time, self._serialize_key, self._deserialize_key)

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        segments = self._clock.segments
        sealed, writes = self._stage.seal(self._marks(), segments.take_dropped())
        serialize, is_live = self._serialize, segments.is_live
        log, change = self._changelog.log, self._changelog.row
        rows: list[Row] = []
        refused = False
        for some in pieces(sealed.entries, every):
            for row, (value, timestamp, headers) in some:
                live = is_live(row)
                if row[0] >= 0x80 and row[:PREFIX] != NO_SEGMENT:
                    # An index row: there or not, nothing in it.
                    if live:
                        writes.append((row, None if value is None else b""))
                    continue
                data = None if value is None else serialize(value)
                if log:
                    rows.append(change(row[PREFIX:], data, timestamp, headers))
                refused = refused or row[0] >= 0x80
                if live:
                    writes.append((row, data))
            yield
        # A row that was taken, and refused when it came again, is in there twice.
        return last_of_each_key(rows) if refused else rows

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """Stream time is that of the sessions, never of the records (§2.5)."""
        records = [(key, value) for key, value, _, _ in rows if key is not None]
        ends = [_TIME.unpack_from(key, len(key) - SUFFIX)[0] for key, _ in records]
        clock = self._clock
        if self.spec.persistent:
            # All at once: what has expired by the end never comes in.
            clock.stream_time = max(clock.stream_time, *ends, -1)
        writes: Writes = []
        for (key, value), end in zip(records, ends, strict=True):
            segment = self._accept(end)
            if segment is None:
                continue
            row = segment + key
            writes.append((row, value))
            if self.spec.time_ordered:
                writes.append((_index_row(row), None if value is None else b""))
        dropped = clock.segments.take_dropped()
        if dropped:
            # In memory the time moves from row to row: some have expired since they were taken.
            writes = [(row, data) for row, data in writes if clock.segments.is_live(row)]
        self._stage.restored(writes, self._marks(), position, dropped)

    def statistics(self) -> StoreStatistics:
        return self._stage.statistics(self.spec.name, self.kind, self._clock.stream_time)

    def _accept(self, end: int) -> bytes | None:
        """Move the store's stream time, and find the session's segment; None if it comes too late (I4)."""
        clock = self._clock
        if end > clock.stream_time:
            clock.stream_time = end
        segment = clock.segments.of(end, clock.stream_time)
        if not self.spec.persistent and end <= clock.stream_time - clock.retention:
            return None
        return segment

    def _write(self, segment: bytes | None, logged: bytes, value: V | None) -> None:
        """A row with no segment is logged, as Java does, and nowhere to be found."""
        headers = self._ctx.headers if value is None and self._log_deletions else ()
        if self._changelog.at_once:
            data = None if value is None else self._serialize(value)
            self._changelog.send(logged, data, self._ctx.timestamp, headers)
        entry = (value, self._ctx.timestamp, headers)
        row = (NO_SEGMENT if segment is None else segment) + logged
        self._overlay.put(row, entry)
        if segment is not None and self.spec.time_ordered:
            self._overlay.put(_index_row(row), entry)

    def _marks(self) -> Marks:
        return Marks(None, self._clock.stream_time)
