"""The buffer of a suppress (G1-G6, I9; Java: InMemoryTimeOrderedKeyValueChangeBuffer): one row for a key, by time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, NamedTuple

from sortedcontainers import SortedList

from app.streams.errors import TaskMisused
from app.streams.model import Change, Headers, Row
from app.streams.serdes.buffered import (
    CHANGELOG_HEADERS,
    Buffered,
    Origin,
    read_buffered,
    read_changelog,
    write_buffered,
)
from app.streams.stores.base import Marks
from app.streams.stores.slices import ALL, WHOLE, finish, pieces, result, shed
from app.streams.stores.specs import SuppressSpec
from app.streams.stores.stage import Writes
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics

LARGEST_LONG: Final = 2**63 - 1
_TIME_SIZE: Final = 8


class Evicted(NamedTuple):
    """A row that leaves the buffer, and the context to forward it in."""

    key: Any
    change: Change
    origin: Origin


class SuppressBuffer:
    """All rows are in memory, as in Java; the base is there for restarts. Order out: (time, serialized key)."""

    __slots__ = (
        "_base",
        "_changelog",
        "_ctx",
        "_deserialize",
        "_deserialize_key",
        "_dirty",
        "_order",
        "_rows",
        "_sealed",
        "_sent",
        "_serialize",
        "_serialize_key",
        "_subject",
        "size",
        "spec",
    )

    kind = "suppress-buffer"
    caches = False

    def __init__(self, spec: SuppressSpec, home: Home) -> None:
        self.spec = spec
        self._base = home.base
        self._ctx = home.ctx
        self._changelog = Changelog(home)
        self._subject = home.subject
        self._serialize_key: Callable[[Any], bytes] = spec.key.serializer(home.subject)
        self._deserialize_key: Callable[[bytes], Any] = spec.key.deserializer(home.subject)
        self._serialize: Callable[[Any], bytes] = spec.value.serializer(home.subject)
        self._deserialize: Callable[[bytes], Any] = spec.value.deserializer(home.subject)
        self._rows: dict[bytes, tuple[int, Buffered]] = {}
        self._order: SortedList[tuple[int, bytes]] = SortedList()
        self._dirty: set[bytes] = set()
        # Those of them that a flush has logged already.
        self._sent: set[bytes] = set()
        self._sealed: Writes | None = None
        # Bytes in the buffer, as Java counts them.
        self.size = 0
        for row, data in home.base.scan(None, None):
            buffered, time = read_buffered(data)
            self._place(row, time, buffered)

    @property
    def name(self) -> str:
        return self.spec.name

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def min_timestamp(self) -> int:
        """The earliest time in the buffer, in ms; the largest long if it is empty."""
        return self._order[0][0] if self._order else LARGEST_LONG

    def put(self, time: int, key: Any, change: Change) -> None:
        """Take a change with the context of the record being processed. A key that is there keeps its time (G3)."""
        ctx = self._ctx
        row = self._serialize_key(key)
        new, old = (None if value is None else self._serialize(value) for value in change[:2])
        before = self._rows.get(row)
        prior = old if before is None else before[1].prior
        origin = Origin(ctx.timestamp, ctx.offset, ctx.topic or "", ctx.partition, ctx.headers)
        self._place(row, time, Buffered(prior, old, new, origin))
        self._dirty.add(row)

    def prior_value(self, key: Any) -> tuple[bool, Any]:
        """Whether the key is buffered, and the value downstream still has for it."""
        found = self._rows.get(self._serialize_key(key))
        if found is None:
            return False, None
        prior = found[1].prior
        return True, None if prior is None else self._deserialize(prior)

    def first(self) -> Evicted:
        """The row that leaves next. It is still there, for reads, while it is forwarded; then `drop_first`."""
        _, row = self._order[0]
        _, buffered = self._rows[row]
        new, old = (None if value is None else self._deserialize(value) for value in (buffered.new, buffered.old))
        return Evicted(self._deserialize_key(row), (new, old, True), buffered.origin)

    def drop_first(self) -> None:
        """Take out the first row. Raises IndexError if there is none."""
        _, row = self._order.pop(0)
        _, buffered = self._rows.pop(row)
        self.size -= _size(row, buffered)
        self._dirty.add(row)

    def evict(self) -> Evicted:
        """Both at once."""
        first = self.first()
        self.drop_first()
        return first

    def flushing(self, every: int = ALL) -> Iterator[None]:
        """Java writes the rows of a commit just before it, when every put is logged too."""
        if not self._changelog.at_once:
            return
        for some in pieces(dict.fromkeys(sorted(self._dirty - self._sent)), every):
            for row, _ in some:
                self._changelog.send(*_logged(row, self._written(row)))
            yield
        self._sent |= self._dirty

    def flush(self) -> None:
        finish(self.flushing())

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        if self._sealed is not None:
            raise TaskMisused("a commit of this store is under way")
        # Java follows a hash set; any order serves, so the one of the keys.
        dirty = sorted(self._dirty)
        self._dirty.clear()
        self._sent.clear()
        sealed: Writes = []
        self._sealed = sealed
        rows: list[Row] = []
        log = self._changelog.log
        for some in pieces(dict.fromkeys(dirty), every):
            for row, _ in some:
                data = self._written(row)
                sealed.append((row, data))
                if log:
                    rows.append(self._changelog.row(*_logged(row, data)))
            yield
        return rows

    def seal(self) -> list[Row]:
        return result(self.sealing())

    @property
    def dirty(self) -> int:
        """Rows that came or left since the last seal."""
        return len(self._dirty)

    def applying(self, position: int | None = None, slice_ms: float = WHOLE) -> Iterator[None]:
        if self._sealed is None:
            raise TaskMisused("no commit of this store is under way")
        marks = self._marks(position)
        if self._sealed or marks != self._base.marks():
            yield from self._base.applying(self._sealed, marks, slice_ms=slice_ms)
        sealed, self._sealed = self._sealed, None
        yield from shed(sealed, slice_ms)

    def applied(self, position: int | None = None) -> None:
        finish(self.applying(position))

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """From any layout Java has written (2.5)."""
        for key, value, timestamp, headers in rows:
            if key is None:
                continue
            found = self._rows.get(key)
            # Its slot too: the key may have left and come back between two commits, without a tombstone.
            self._remove(key)
            if value is not None:
                prior = None if found is None else found[1].prior
                origin = Origin(timestamp, -1, self._subject, self._ctx.task_id.partition, headers)
                buffered, time = read_changelog(value, dict(headers), prior, origin)
                self._place(key, time, buffered)
            self._dirty.add(key)
        self._base.apply([(row, self._written(row)) for row in sorted(self._dirty)], self._marks(position))
        self._dirty.clear()

    def statistics(self) -> StoreStatistics:
        return StoreStatistics(
            name=self.spec.name,
            kind=self.kind,
            committed=len(self._base),
            dirty=len(self._dirty),
            sealed=0 if self._sealed is None else len(self._sealed),
            position=self._base.marks().position,
        )

    def _place(self, row: bytes, time: int, buffered: Buffered) -> None:
        before = self._rows.get(row)
        if before is None:
            self._order.add((time, row))
        else:
            time = before[0]
            self.size -= _size(row, before[1])
        self._rows[row] = (time, buffered)
        self.size += _size(row, buffered)
        self._sent.discard(row)

    def _remove(self, row: bytes) -> None:
        before = self._rows.pop(row, None)
        if before is not None:
            self._order.remove((before[0], row))
            self.size -= _size(row, before[1])

    def _written(self, row: bytes) -> bytes | None:
        found = self._rows.get(row)
        return None if found is None else write_buffered(found[1], found[0])

    def _marks(self, position: int | None) -> Marks:
        return Marks(self._base.marks().position if position is None else position)


def _logged(row: bytes, data: bytes | None) -> tuple[bytes, bytes | None, None, Headers]:
    """Tombstones carry no headers; the timestamp is left to the producer."""
    return row, data, None, () if data is None else CHANGELOG_HEADERS


def _size(row: bytes, buffered: Buffered) -> int:
    return _TIME_SIZE + len(row) + buffered.size()
