"""The buffer of a stream-table join with grace (F11, I9; Java: RocksDBTimeOrderedKeyValueBuffer): all rows, by time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, NamedTuple

from app.streams.model import Row
from app.streams.serdes.buffered import Buffered, Origin, read_buffered, write_buffered
from app.streams.stores.base import Marks
from app.streams.stores.overlay import Entry
from app.streams.stores.slices import ALL, pieces
from app.streams.stores.specs import GraceSpec
from app.streams.stores.stage import Stage, Staged
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics

_LARGEST_INT: Final = 0x7FFFFFFF
_LARGEST_LONG: Final = 2**63 - 1
# A row's key, and the changelog's: 00 ‖ timestamp ‖ key ‖ sequence.
_HEAD = struct.Struct(">Bq")
_SEQUENCE = struct.Struct(">I")


class Due(NamedTuple):
    """A record whose grace is over, and the context it came in."""

    key: Any
    value: Any
    origin: Origin


class GraceBuffer(Staged):
    """Order out: (timestamp, serialized key, arrival)."""

    __slots__ = (
        "_changelog",
        "_ctx",
        "_deserialize",
        "_deserialize_key",
        "_first",
        "_overlay",
        "_sequence",
        "_serialize",
        "_serialize_key",
        "_stage",
        "spec",
        "stream_time",
    )

    kind = "grace-buffer"
    caches = False

    def __init__(self, spec: GraceSpec, home: Home) -> None:
        self.spec = spec
        self._ctx = home.ctx
        self._changelog = Changelog(home)
        self._serialize_key: Callable[[Any], bytes] = spec.key.serializer(home.subject)
        self._deserialize_key: Callable[[bytes], Any] = spec.key.deserializer(home.subject)
        self._serialize: Callable[[Any], bytes] = spec.value.serializer(home.subject)
        self._deserialize: Callable[[bytes], Any] = spec.value.deserializer(home.subject)
        self._stage = Stage(home, _decode)
        self._overlay = self._stage.overlay
        marks = home.base.marks()
        # Highest timestamp that was taken, in ms; the buffer decides by it what is late and what is due.
        self.stream_time = marks.stream_time
        self._sequence = marks.row_sequence
        # No row is below this one: evicted rows are not walked over again until the next commit takes them away.
        self._first = b""

    @property
    def name(self) -> str:
        return self.spec.name

    def put(self, key: Any, value: Any) -> bool:
        """Take the record being processed; False if it is so late that it must not wait."""
        ctx = self._ctx
        timestamp = ctx.timestamp
        if timestamp < self.stream_time - self.spec.grace:
            return False
        self.stream_time = max(self.stream_time, timestamp)
        self._sequence = (self._sequence + 1) & _LARGEST_INT
        row = _HEAD.pack(0, timestamp) + self._serialize_key(key) + _SEQUENCE.pack(self._sequence)
        self._first = min(self._first, row)
        origin = Origin(timestamp, ctx.offset, ctx.topic or "", ctx.partition, ctx.headers)
        self._write(row, Buffered(None, None, self._serialize(value), origin))
        return True

    def evict(self) -> Iterator[Due]:
        """Take out, one by one, the records with timestamp ≤ stream time less the grace."""
        limit = self.stream_time - self.spec.grace
        if limit < 0:
            return
        for row, entry in self._overlay.scan(self._first, _HEAD.pack(0, min(limit, _LARGEST_LONG - 1) + 1)):
            buffered: Buffered = entry[0]
            value = None if buffered.new is None else self._deserialize(buffered.new)
            yield Due(self._deserialize_key(row[_HEAD.size : -_SEQUENCE.size]), value, buffered.origin)
            # After the caller's forward, as in Java: its rows go out before the tombstone.
            self._write(row, None)
            self._first = row

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        sealed, writes = self._stage.seal(Marks(None, self.stream_time, self._sequence))
        log, change = self._changelog.log, self._changelog.row
        rows: list[Row] = []
        for some in pieces(sealed.entries, every):
            for row, (buffered,) in some:
                data = None if buffered is None else write_buffered(buffered, 0)
                if log:
                    rows.append(change(row, data, None))
                writes.append((row, data))
            yield
        return rows

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """Stream time is that of the keys: the records of this changelog carry the producer's clock."""
        writes = [(key, value) for key, value, _, _ in rows if key is not None]
        for key, _ in writes:
            self.stream_time = max(self.stream_time, _HEAD.unpack_from(key)[1])
        if self._stage.base.marks().position is not None:
            # They were committed but not applied when the task died: a number given twice would overwrite a row.
            # Restored from nothing, the buffer begins at 0 as Java's does.
            for key, _ in writes:
                self._sequence = max(self._sequence, _SEQUENCE.unpack_from(key, len(key) - _SEQUENCE.size)[0])
        self._stage.restored(writes, Marks(None, self.stream_time, self._sequence), position)

    def statistics(self) -> StoreStatistics:
        return self._stage.statistics(self.spec.name, self.kind, self.stream_time)

    def _write(self, row: bytes, buffered: Buffered | None) -> None:
        self._overlay.put(row, (buffered,))
        if self._changelog.at_once:
            self._changelog.send(row, None if buffered is None else write_buffered(buffered, 0), None)


def _decode(data: bytes) -> Entry:
    return (read_buffered(data)[0],)
