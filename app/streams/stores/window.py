"""Window stores (I3, I4): rows of a key by the start of their window.

Where Java's persistent and in-memory stores differ, `spec.persistent` decides: in what they still take, in what they
still show, and in the order of scans over several keys. `spec.time_ordered` is Java's store for emission on window
close: it shows one millisecond more, and its rows are found by time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from app.streams.model import Row, Windowed
from app.streams.stores.base import Base, Marks
from app.streams.stores.overlay import Committed, Entry, Readable
from app.streams.stores.segments import (
    FIRST_INDEX,
    LARGEST_LONG,
    NO_SEGMENT,
    Segments,
    after_segment,
    highest_row,
    time_index,
)
from app.streams.stores.specs import LoggedHeaders, WindowSpec
from app.streams.stores.stage import Stage, Staged, Writes
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics, last_of_each_key

K = TypeVar("K")
V = TypeVar("V")

# A row's key: segment ‖ key ‖ start ‖ sequence; behind the segment it is the key of the changelog.
PREFIX: Final = 8
SUFFIX: Final = 12
_LARGEST_INT: Final = 0x7FFFFFFF
START_SEQUENCE = struct.Struct(">qI")
_TIMESTAMP = struct.Struct(">q")
_ABOVE_ALL: Final = b"\xff" * SUFFIX


class Clock:
    """The store's own stream time, and the segments it keeps alive (A7)."""

    __slots__ = ("retention", "segments", "stream_time")

    def __init__(self, retention: int, base: Base) -> None:
        self.stream_time = base.marks().stream_time
        self.retention = retention
        self.segments = Segments(retention, base.prefixes(), self.stream_time)


class WindowView(Generic[K, V]):
    """Reading. A value is `(value, timestamp)` in a timestamped store. Times are starts of windows, both included."""

    __slots__ = ("_clock", "_deserialize_key", "_rows", "_serialize_key", "_spec")

    def __init__(
        self,
        spec: WindowSpec,
        rows: Readable,
        clock: Clock,
        serialize_key: Callable[[K], bytes],
        deserialize_key: Callable[[bytes], K],
    ) -> None:
        self._spec = spec
        self._rows = rows
        self._clock = clock
        self._serialize_key = serialize_key
        self._deserialize_key = deserialize_key

    @property
    def key_bytes(self) -> Callable[[K], bytes]:
        """The serializer of keys: a caller with several operations on one key needs it only once."""
        return self._serialize_key

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
        unpack = _TIMESTAMP.unpack_from
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

    def _segments(self, time_from: int, time_to: int) -> list[bytes]:
        return self._clock.segments.between(time_from, time_to)

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
        lo = _TIMESTAMP.pack(time_from)
        hi = None if time_to >= LARGEST_LONG else _TIMESTAMP.pack(time_to + 1)
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
    start: int = _TIMESTAMP.unpack_from(row, len(row) - SUFFIX)[0]
    return start


def by_start(row: tuple[bytes, Entry]) -> tuple[bytes, bytes]:
    """The order of Java's in-memory store: start, then key and sequence."""
    key = row[0]
    return key[-SUFFIX:-4], key[PREFIX:-SUFFIX] + key[-4:]


class WindowStore(Staged, WindowView[K, V]):
    """An entry is (value, timestamp, sequence and headers in the changelog)."""

    __slots__ = ("_changelog", "_ctx", "_headers", "_logged", "_overlay", "_rows_put", "_serialize", "_stage", "spec")

    kind = "window"
    # Whether a record cache holds writes back and forwards them later.
    caches = False

    def __init__(self, spec: WindowSpec, home: Home) -> None:
        self.spec = spec
        self._ctx = home.ctx
        self._changelog = Changelog(home)
        self._serialize: Callable[[Any], bytes] = spec.value.serializer(home.subject)
        self._stage = Stage(home, _decoder(spec.value.deserializer(home.subject), spec.timestamped), SUFFIX)
        self._overlay = self._stage.overlay
        marks = home.base.marks()
        self._rows_put = marks.row_sequence
        self._logged = marks.log_sequence
        # Whether changelog rows carry headers: of deletions, of values.
        self._headers = (spec.log_headers is not LoggedHeaders.NONE, spec.log_headers is LoggedHeaders.ALL)
        clock = Clock(spec.retention, home.base)
        super().__init__(
            spec, self._overlay, clock, spec.key.serializer(home.subject), spec.key.deserializer(home.subject)
        )

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def stream_time(self) -> int:
        """Highest start that was put, in ms."""
        return self._clock.stream_time

    def put(self, key: K, value: Any, start: int, timestamp: int | None = None) -> None:
        """None deletes; in a store that retains duplicates it is logged, but changes nothing (F2). timestamp: of the
        value, for timestamped stores."""
        self.put_row(self._serialize_key(key), value, start, timestamp)

    def put_row(self, key: bytes, value: Any, start: int, timestamp: int | None = None) -> None:
        """`put` for a key that is at hand in its serialized form."""
        if timestamp is None or value is None:
            timestamp = self._ctx.timestamp
        duplicates = self.spec.retain_duplicates
        if duplicates:
            self._logged = (self._logged + 1) & _LARGEST_INT
        headers = self._ctx.headers if self._headers[value is not None] else ()
        entry = (value, timestamp, self._logged, headers)
        segment = None
        # Java's persistent store does not even look at a deletion here: its stream time stays.
        if not duplicates or value is not None or not self.spec.persistent:
            segment = self._accept(start)
            if segment is None:
                self._ctx.dropped()
        if segment is None or (duplicates and value is None):
            # Logged, as Java does, and nowhere to be found.
            self._overlay.put(NO_SEGMENT + key + START_SEQUENCE.pack(start, self._logged), entry)
        else:
            self._write(segment, key, start, entry)
        if self._changelog.at_once:
            data = None if value is None else self._serialize(value)
            self._changelog.send(key + START_SEQUENCE.pack(start, self._logged), data, timestamp, headers)

    def committed(self) -> WindowView[K, V]:
        """What has been applied, and nothing newer."""
        rows = Committed(self._overlay.base, self._overlay.decode)
        return WindowView(self.spec, rows, self._clock, self._serialize_key, self._deserialize_key)

    def flush(self) -> None:
        """Nothing is held back."""

    def seal(self) -> list[Row]:
        segments = self._clock.segments
        sealed, writes = self._stage.seal(self._marks(), segments.take_dropped())
        serialize, timestamped, first_alive = self._serialize, self.spec.timestamped, segments.first_alive()
        log, change = self._changelog.log, self._changelog.row
        rows: list[Row] = []
        refused = False
        for row, (value, timestamp, sequence, headers) in sealed.entries.items():
            if row >= FIRST_INDEX and row < NO_SEGMENT:
                # An index row: there or not, nothing in it.
                if segments.is_live(row):
                    writes.append((row, None if value is None else b""))
                continue
            data = None if value is None else serialize(value)
            if log:
                rows.append(change(row[PREFIX:-4] + sequence.to_bytes(4, "big"), data, timestamp, headers))
            if row >= NO_SEGMENT:
                refused = True
            elif row >= first_alive:
                writes.append((row, _TIMESTAMP.pack(timestamp) + data if timestamped and data is not None else data))
        # A row that was taken, and refused when it came again, is in there twice.
        return last_of_each_key(rows) if refused else rows

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """Rows are taken by their whole key: stream time is that of their windows, never of the records (§2.5)."""
        records = [record for record in rows if record[0] is not None]
        counted = self.spec.retain_duplicates and not self.spec.persistent
        if self.spec.retain_duplicates and self._stage.base.marks().position is not None:
            records, counted = self._catching_up(records), True
        clock = self._clock
        persistent, timestamped = self.spec.persistent, self.spec.timestamped
        starts = [start_of(key) for key, _, _, _ in records if key is not None]
        if persistent:
            # All at once: what has expired by the end never comes in.
            clock.stream_time = max(clock.stream_time, *starts, -1)
        writes: Writes = []
        for (key, value, timestamp, _), start in zip(records, starts, strict=True):
            if key is None:
                continue
            # As at its put, a deletion in memory moves the time, and changes nothing where rows are duplicates.
            segment = self._accept(start)
            if segment is None or (self.spec.retain_duplicates and value is None and not persistent):
                continue
            sequence = key[-4:]
            if counted:
                # Java's in-memory store counts them anew, and goes on from there.
                self._rows_put = (self._rows_put + 1) & _LARGEST_INT
                sequence = self._rows_put.to_bytes(4, "big")
            row = segment + key[:-4] + sequence
            data = _TIMESTAMP.pack(timestamp) + value if timestamped and value is not None else value
            writes.append((row, data))
            if self.spec.time_ordered:
                writes.append((_index_row(row), None if value is None else b""))
        self._stage.restored(writes, self._marks(), position, clock.segments.take_dropped())

    def statistics(self) -> StoreStatistics:
        return self._stage.statistics(self.spec.name, self.kind, self._clock.stream_time)

    def _catching_up(self, records: list[Restored]) -> list[Restored]:
        """Rows that were committed but not applied when the task died come in as if they were put now, and numbers go
        on behind them: one given twice would overwrite a row. Restored from nothing, it begins at 0 as in Java."""
        if records:
            self._logged = int.from_bytes((records[-1][0] or b"")[-4:], "big")
        return [record for record in records if record[1] is not None or not self.spec.persistent]

    def _accept(self, start: int) -> bytes | None:
        """Move the store's stream time, and find the row's segment; None if it comes too late (I4)."""
        clock = self._clock
        if start > clock.stream_time:
            clock.stream_time = start
        segment = clock.segments.of(start, clock.stream_time)
        if not self.spec.persistent and start <= clock.stream_time - clock.retention:
            return None
        return segment

    def _write(self, segment: bytes, key: bytes, start: int, entry: Entry) -> None:
        sequence = 0
        if self.spec.retain_duplicates:
            sequence = self._rows_put = (self._rows_put + 1) & _LARGEST_INT
        row = segment + key + START_SEQUENCE.pack(start, sequence)
        self._overlay.put(row, entry)
        if self.spec.time_ordered:
            self._overlay.put(_index_row(row), entry)

    def _marks(self) -> Marks:
        return Marks(None, self._clock.stream_time, self._rows_put, self._logged)


def _index_row(row: bytes) -> bytes:
    """segment's index ‖ start ‖ key ‖ sequence."""
    return time_index(row[:PREFIX]) + row[-SUFFIX:-4] + row[PREFIX:-SUFFIX] + row[-4:]


def _decoder(deserialize: Callable[[bytes], Any], timestamped: bool) -> Callable[[bytes], Entry]:
    if not timestamped:
        return lambda data: (deserialize(data), -1, 0, ())

    def decode(data: bytes) -> Entry:
        return deserialize(data[8:]), _TIMESTAMP.unpack_from(data)[0], 0, ()

    return decode
