"""Versioned key-value stores (I6, I7): every value a key had within the history, and when."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar

from app.streams.model import Row
from app.streams.stores.base import Marks
from app.streams.stores.overlay import Committed, Entry, Readable
from app.streams.stores.slices import ALL, pieces
from app.streams.stores.specs import VersionedSpec
from app.streams.stores.stage import Stage, Staged
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics

K = TypeVar("K")
V = TypeVar("V")

# What `put` returns instead of the end of the validity.
VALID_TO_UNDEFINED: Final = -1
NOT_PUT: Final = -(2**63)

# A row's key: key ‖ valid from. Timestamps are never negative here.
SUFFIX: Final = 8
_TIMESTAMP = struct.Struct(">q")
_EARLIEST: Final = b"\x00" * SUFFIX
_ABOVE_ALL: Final = b"\xff" * SUFFIX
# Rows at each commit: about 1 ms.
_LOOKED_THROUGH: Final = 1_000
# Keys at each put, which itself adds two at most: a segment may end with a million of them.
_FORGOTTEN_AT_A_PUT: Final = 4


class _Tombstone:
    """The value of a version that says that the key had none. data: what it is in the base."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


# Which of the two it was when it came decides what a later deletion of the version behind it leaves (see _insert).
_DELETED: Final = _Tombstone(b"\x00")
_DELETED_BETWEEN: Final = _Tombstone(b"\x02")
_VALUE: Final = b"\x01"


class VersionedRecord(NamedTuple, Generic[V]):
    """A value valid from `timestamp`, in ms. valid_to is told by `versions` only: Java's store hides it elsewhere."""

    value: V
    timestamp: int
    valid_to: int | None = None


class History:
    """The store's stream time, and how far back it answers; in ms (A7)."""

    __slots__ = ("retention", "stream_time")

    def __init__(self, retention: int, stream_time: int) -> None:
        self.retention = retention
        self.stream_time = stream_time

    def start(self) -> int:
        return self.stream_time - self.retention


class VersionedView(Generic[K, V]):
    """Reading. history_start: how far back it answers at the moment, in ms."""

    __slots__ = ("_history_start", "_rows", "_serialize_key")

    def __init__(self, rows: Readable, history_start: Callable[[], int], serialize_key: Callable[[K], bytes]) -> None:
        self._rows = rows
        self._history_start = history_start
        self._serialize_key = serialize_key

    def get(self, key: K, as_of: int | None = None) -> VersionedRecord[V] | None:
        """The latest version, or the one valid at `as_of`."""
        return self.get_row(self._serialize_key(key), as_of)

    def get_row(self, key: bytes, as_of: int | None = None) -> VersionedRecord[V] | None:
        """`get` for a key that is at hand in its serialized form."""
        if as_of is None:
            return _record(self._rows.first(key, _EARLIEST, _ABOVE_ALL, reverse=True))
        if as_of < 0:
            return None
        if as_of < self._history_start():
            # Beyond the history, only the latest version can still be the answer.
            latest = _record(self._rows.first(key, _EARLIEST, _ABOVE_ALL, reverse=True))
            return latest if latest is not None and latest.timestamp <= as_of else None
        return _record(self._rows.first(key, _EARLIEST, _TIMESTAMP.pack(as_of + 1), reverse=True))

    def versions(self, key: K, time_from: int, time_to: int, ascending: bool = False) -> Iterator[VersionedRecord[V]]:
        """Versions valid at some time of [time_from, time_to], the newest first unless `ascending` (M6)."""
        rows = self._rows.group(self._serialize_key(key), _EARLIEST, _ABOVE_ALL)
        found: list[VersionedRecord[V]] = []
        start = self._history_start()
        for at, row in enumerate(rows):
            record = _record(row)
            if record is None:
                continue
            valid_to = _valid_from(rows[at + 1][0]) if at + 1 < len(rows) else None
            if valid_to is not None and (time_to < start or valid_to <= start):
                continue
            if record.timestamp <= time_to and (valid_to is None or valid_to > time_from):
                found.append(record._replace(valid_to=valid_to))
        return iter(found) if ascending else reversed(found)


def _valid_from(row: bytes) -> int:
    timestamp: int = _TIMESTAMP.unpack_from(row, len(row) - SUFFIX)[0]
    return timestamp


def _record(found: tuple[bytes, Entry] | None) -> VersionedRecord[Any] | None:
    if found is None or isinstance(found[1][0], _Tombstone):
        return None
    return VersionedRecord(found[1][0], _valid_from(found[0]))


class VersionedStore(Staged, VersionedView[K, V]):
    """Every put is logged, refused ones too, with the version's timestamp and in the order they came."""

    __slots__ = (
        "_changelog",
        "_ctx",
        "_expired",
        "_history",
        "_interval",
        "_log",
        "_overlay",
        "_serialize",
        "_stage",
        "_superseded",
        "_unseen",
        "spec",
    )

    kind = "versioned"
    caches = False

    def __init__(self, spec: VersionedSpec, home: Home) -> None:
        self.spec = spec
        self._ctx = home.ctx
        self._changelog = Changelog(home)
        self._serialize: Callable[[Any], bytes] = spec.value.serializer(home.subject)
        self._stage = Stage(home, _decoder(spec.value.deserializer(home.subject)), SUFFIX)
        self._overlay = self._stage.overlay
        self._log: list[Row] = []
        self._interval = spec.segment_interval or default_segment_interval(spec.history)
        # Keys that will have a version to forget, by the segment of time in which it stops being valid.
        self._superseded: dict[int, dict[bytes, None]] = {}
        # Those of segments that the history has left behind: their versions are still to be dropped.
        self._expired: list[dict[bytes, None]] = []
        # Of a base that was there before us they are not known: it is gone through, some rows at each commit.
        self._unseen: bytes | None = b"" if len(home.base) else None
        self._history = History(spec.history, home.base.marks().stream_time)
        super().__init__(self._overlay, self._history.start, spec.key.serializer(home.subject))

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def stream_time(self) -> int:
        """Highest timestamp that was put, in ms."""
        return self._history.stream_time

    def put(self, key: K, value: V | None, timestamp: int) -> int:
        """Until when the version is valid, in ms: VALID_TO_UNDEFINED if it is the latest, NOT_PUT if it came later
        than the history goes back. None says that the key has no value from then on."""
        return self.put_row(self._serialize_key(key), value, timestamp)

    def put_row(self, key: bytes, value: V | None, timestamp: int) -> int:
        """`put` for a key that is at hand in its serialized form."""
        self._send(key, value, timestamp)
        if timestamp < self._history.start():
            self._ctx.dropped()
            return NOT_PUT
        return self._insert(key, value, timestamp)

    def delete(self, key: K, timestamp: int) -> VersionedRecord[V] | None:
        """The version that was valid then."""
        row = self._serialize_key(key)
        if timestamp < self._history.start():
            self._send(row, None, timestamp)
            self._ctx.dropped()
            return None
        old = self.get_row(row, timestamp)
        self.put_row(row, None, timestamp)
        return old

    def committed(self) -> VersionedView[K, V]:
        """What has been applied, and nothing newer."""
        base, history = self._overlay.base, self.spec.history
        rows = Committed(base, self._overlay.decode)
        return VersionedView(rows, lambda: base.marks().stream_time - history, self._serialize_key)

    @property
    def dirty(self) -> int:
        # What is refused, and a version that is put again, is a row of the changelog alone.
        return max(super().dirty, len(self._log))

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        sealed, writes = self._stage.seal(self._marks())
        log, self._log = self._log, []
        if self._unseen is not None:
            self._look_through(self._unseen)
        serialize = self._serialize
        for some in pieces(sealed.entries, every):
            for row, (value,) in some:
                if value is None:
                    writes.append((row, None))
                else:
                    writes.append((row, value.data if isinstance(value, _Tombstone) else _VALUE + serialize(value)))
            yield
        return log

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """Puts are repeated in their order, refusals with them."""
        deserialize = self._overlay.decode
        for key, value, timestamp, _ in rows:
            if key is not None and timestamp >= self._history.start():
                self._insert(key, None if value is None else deserialize(_VALUE + value)[0], timestamp)
        self.seal()
        self.applied(position)

    def statistics(self) -> StoreStatistics:
        return self._stage.statistics(self.spec.name, self.kind, self._history.stream_time)

    def _insert(self, key: bytes, value: V | None, timestamp: int) -> int:
        history = self._history
        if timestamp > history.stream_time:
            history.stream_time = timestamp
            self._expire()
        if self._expired:
            self._forget()
        later = self._rows.first(key, _TIMESTAMP.pack(timestamp + 1), _ABOVE_ALL)
        row = key + _TIMESTAMP.pack(timestamp)
        if later is None and value is None and self._leaves_no_trace(key, row):
            self._overlay.put(row, (None,))
            return VALID_TO_UNDEFINED
        if value is None:
            self._overlay.put(row, (_DELETED if later is None else _DELETED_BETWEEN,))
        else:
            self._overlay.put(row, (value,))
        # The version before this one is valid until now; a deletion is of no use once the history starts later.
        self._supersede(key, timestamp)
        if later is None:
            return VALID_TO_UNDEFINED
        valid_to = _valid_from(later[0])
        self._supersede(key, valid_to)
        return valid_to

    def _leaves_no_trace(self, key: bytes, row: bytes) -> bool:
        """Whether deleting the latest version at its own timestamp makes it as if it had never been.

        So it is in Java's store, which notes the deletion as the end of the version before, where there is one.
        """
        latest = self._overlay.get(row)
        if latest is None or isinstance(latest[0], _Tombstone):
            return False
        before = self._rows.first(key, _EARLIEST, row[-SUFFIX:], reverse=True)
        return before is None or before[1][0] is _DELETED

    def _supersede(self, key: bytes, valid_to: int) -> None:
        self._superseded.setdefault(valid_to // self._interval, {})[key] = None

    def _look_through(self, lo: bytes) -> None:
        """Find keys with something to forget among the next rows of the base."""
        last = lo
        for row, data in islice(self._stage.base.scan(lo, None), _LOOKED_THROUGH):
            if (last != row and last[:-SUFFIX] == row[:-SUFFIX]) or data[:1] != _VALUE:
                self._supersede(row[:-SUFFIX], _valid_from(row))
            last = row
        # From the last row again: the next one may follow it.
        self._unseen = None if last == lo else last

    def _expire(self) -> None:
        """Find what ceased to be valid before the history starts, by segments (I7)."""
        start = self._history.start()
        superseded = self._superseded
        # Segments are few, and mostly in order; the first one that lives ends the search only if they are.
        for segment in [each for each in superseded if (each + 1) * self._interval <= start]:
            self._expired.append(superseded.pop(segment))

    def _forget(self) -> None:
        """Drop it, of a few keys at a time. No read and no put can tell whether it is still there."""
        start = self._history.start()
        keys = self._expired[-1]
        for _ in range(min(len(keys), _FORGOTTEN_AT_A_PUT)):
            key, _ = keys.popitem()
            self._forget_versions(key, start)
        if not keys:
            self._expired.pop()

    def _forget_versions(self, key: bytes, start: int) -> None:
        rows = self._rows.group(key, _EARLIEST, _ABOVE_ALL)
        for at, (row, entry) in enumerate(rows):
            is_latest = at + 1 == len(rows)
            valid_to = _valid_from(row) if is_latest else _valid_from(rows[at + 1][0])
            if valid_to > start or (is_latest and not isinstance(entry[0], _Tombstone)):
                return
            self._overlay.put(row, (None,))

    def _send(self, key: bytes, value: V | None, timestamp: int) -> None:
        if self._changelog.topic is None:
            return
        data = None if value is None else self._serialize(value)
        if self._changelog.at_once:
            self._changelog.send(key, data, timestamp)
        else:
            self._log.append(self._changelog.row(key, data, timestamp))

    def _marks(self) -> Marks:
        return Marks(None, self._history.stream_time)


def default_segment_interval(history: int) -> int:
    """Java's choice by history retention, all in ms (I7)."""
    if history <= 60_000:
        return max(history // 3, 2_000)
    if history <= 300_000:
        return max(history // 5, 20_000)
    if history <= 3_600_000:
        return max(history // 12, 60_000)
    return max(history // 24, 300_000)


def value_bytes(data: bytes) -> bytes | None:
    """The serialized value of a committed row; None: from then on the key had none."""
    return data[1:] if data[:1] == _VALUE else None


def _decoder(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Entry]:
    tombstones = {each.data: (each,) for each in (_DELETED, _DELETED_BETWEEN)}

    def decode(data: bytes) -> Entry:
        return (deserialize(data[1:]),) if data[:1] == _VALUE else tombstones[data]

    return decode
