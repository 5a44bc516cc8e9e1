"""Window stores (I3, I4): rows of a key by the start of their window.

Where Java's persistent and in-memory stores differ, `spec.persistent` decides: here, in what they still take.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, TypeVar

from app.streams.model import Row
from app.streams.stores.base import Marks
from app.streams.stores.overlay import Committed, Entry
from app.streams.stores.segmented_view import Clock, CommittedTime
from app.streams.stores.segments import FIRST_INDEX, NO_SEGMENT, time_index
from app.streams.stores.slices import ALL, pieces
from app.streams.stores.specs import LoggedHeaders, WindowSpec
from app.streams.stores.stage import Stage, Staged, Writes
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics, last_of_each_key
from app.streams.stores.window_view import (
    PREFIX,
    START_SEQUENCE,
    SUFFIX,
    TIMESTAMP,
    WindowView,
    by_start,
    start_of,
)

__all__ = ["PREFIX", "START_SEQUENCE", "SUFFIX", "WindowStore", "WindowView", "by_start", "start_of"]

K = TypeVar("K")
V = TypeVar("V")

_LARGEST_INT: Final = 0x7FFFFFFF


class WindowStore(Staged, WindowView[K, V]):
    """An entry is (value, timestamp, sequence and headers in the changelog)."""

    __slots__ = (
        "_changelog",
        "_ctx",
        "_headers",
        "_last",
        "_late",
        "_logged",
        "_overlay",
        "_plain",
        "_rows_put",
        "_serialize",
        "_stage",
        "_timestamped",
        "spec",
    )

    kind = "window"
    # Whether a record cache holds writes back and forwards them later.
    caches = False
    _clock: Clock

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
        self._timestamped = spec.timestamped
        # Most stores are like this, and their puts have a short way.
        self._plain = not (
            spec.retain_duplicates
            or spec.time_ordered
            or self._headers[0]
            or self._headers[1]
            or self._changelog.at_once
        )
        # (key, start, row) that was read last: mostly it is written next.
        self._last: tuple[bytes, int, bytes] = (b"", -1, b"")
        clock = Clock(spec.retention, home.base)
        self._late = 0 if spec.time_ordered and spec.persistent else 1
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

    def get_row(self, key: bytes, start: int) -> V | None:
        # What the view and the overlay do, without their calls: one of the hottest reads there are.
        clock = self._clock
        if start < clock.stream_time - clock.retention + self._late:
            return None
        segments = clock.segments
        segment = segments.newest_prefix if start // segments.interval == segments.newest else segments.prefix(start)
        row = segment + key + START_SEQUENCE.pack(start, 0)
        self._last = (key, start, row)
        entry: Any = self._overlay.open.entries.get(row)
        if entry is None:
            entry = self._overlay.below(row)
            if entry is None:
                return None
        elif entry[0] is None:
            return None
        shown: Any = (entry[0], entry[1]) if self._timestamped else entry[0]
        value: V = shown
        return value

    def put(self, key: K, value: Any, start: int, timestamp: int | None = None) -> None:
        """None deletes; in a store that retains duplicates it is logged, but changes nothing (F2). timestamp: of the
        value, for timestamped stores."""
        self.put_row(self._serialize_key(key), value, start, timestamp)

    def put_row(self, key: bytes, value: Any, start: int, timestamp: int | None = None) -> None:
        """`put` for a key that is at hand in its serialized form."""
        last_key, last_start, row = self._last
        if key is last_key and start == last_start and value is not None and timestamp is not None and self._plain:
            clock = self._clock
            segments = clock.segments
            if start <= clock.stream_time < start + clock.retention and start // segments.interval == segments.newest:
                # Neither time nor segments move, and it is not too late.
                self._overlay.put(row, (value, timestamp, self._logged, ()))
                return
        if timestamp is None or value is None:
            timestamp = self._ctx.timestamp
        duplicates = self.spec.retain_duplicates
        if duplicates:
            self._logged = (self._logged + 1) & _LARGEST_INT
        headers = self._ctx.headers if self._headers[value is not None] else ()
        if self._changelog.at_once:
            data = None if value is None else self._serialize(value)
            self._changelog.send(key + START_SEQUENCE.pack(start, self._logged), data, timestamp, headers)
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

    def committed(self) -> WindowView[K, V]:
        """What has been applied, and nothing newer."""
        base = self._overlay.base
        rows, time = Committed(base, self._overlay.decode), CommittedTime(self.spec.retention, base)
        return WindowView(self.spec, rows, time, self._serialize_key, self._deserialize_key)

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        segments = self._clock.segments
        sealed, writes = self._stage.seal(self._marks(), segments.take_dropped())
        serialize, timestamped, first_alive = self._serialize, self.spec.timestamped, segments.first_alive()
        log, change = self._changelog.log, self._changelog.row
        rows: list[Row] = []
        refused = False
        for some in pieces(sealed.entries, every):
            for row, (value, timestamp, sequence, headers) in some:
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
                    writes.append((row, TIMESTAMP.pack(timestamp) + data if timestamped and data is not None else data))
            yield
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
            data = TIMESTAMP.pack(timestamp) + value if timestamped and value is not None else value
            writes.append((row, data))
            if self.spec.time_ordered:
                writes.append((_index_row(row), None if value is None else b""))
        dropped = clock.segments.take_dropped()
        if dropped:
            # In memory the time moves from row to row: some have expired since they were taken.
            writes = [(row, data) for row, data in writes if clock.segments.is_live(row)]
        self._stage.restored(writes, self._marks(), position, dropped)

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
        return deserialize(data[8:]), TIMESTAMP.unpack_from(data)[0], 0, ()

    return decode
