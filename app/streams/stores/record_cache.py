"""Java's record cache (K2-K5): the last write of each key is held back, until a commit or until there is no room.

It changes how many results there are, never the last one. Sizes are counted as Java counts them, so that evictions
come at the same records.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from app.streams.context import Context
from app.streams.model import Headers
from app.streams.stores.overlay import Entry
from app.streams.stores.rows import Rows
from app.streams.stores.slices import ALL, finish

# Three references of a list node, the dirty flag; timestamp, offset and partition of the context.
_ENTRY_SIZE: Final = 24 + 1
_CONTEXT_SIZE: Final = 8 + 8 + 4


class Held(NamedTuple):
    """The context of a held write, which comes back when it goes on."""

    timestamp: int
    headers: Headers
    topic: str | None
    partition: int
    offset: int

    @classmethod
    def of(cls, ctx: Context) -> Held:
        return cls(ctx.timestamp, ctx.headers, ctx.topic, ctx.partition, ctx.offset)

    def enter(self, ctx: Context) -> None:
        """Make this the context of the record being processed."""
        ctx.timestamp, ctx.headers, ctx.topic, ctx.partition, ctx.offset = self

    def size(self) -> int:
        headers = sum(len(name) + (0 if value is None else len(value)) for name, value in self.headers)
        return _CONTEXT_SIZE + len(self.topic or "") + headers


# (row, entry, context) of each dirty row that goes on, in order.
FlushListener = Callable[[Sequence[tuple[bytes, Entry, Held]]], None]


class RecordCache:
    """The room that the caching stores of a task share, in bytes."""

    __slots__ = ("max_bytes", "size")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size = 0


class StoreCache:
    """One store's part of it (NamedCache). prefix, suffix: as in the store's keys."""

    __slots__ = ("_cache", "_dirty", "_prefix", "_recent", "listener", "prefixes", "rows")

    def __init__(self, cache: RecordCache, prefix: int = 0, suffix: int = 0) -> None:
        self._cache = cache
        # Where dirty rows go on to.
        self.listener: FlushListener = _nowhere
        self._prefix = prefix
        self.rows: Rows[Entry] = Rows(suffix)
        # How many rows each prefix has.
        self.prefixes: dict[bytes, int] = {}
        # Size, and context of the last write; the row used longest ago first.
        self._recent: OrderedDict[bytes, tuple[int, Held | None]] = OrderedDict()
        self._dirty: dict[bytes, None] = {}

    @property
    def dirty(self) -> int:
        """Writes held back."""
        return len(self._dirty)

    def get(self, row: bytes) -> Entry | None:
        """What is held of a row, deletions too; it counts as used."""
        entry = self.rows.entries.get(row)
        if entry is not None:
            self._recent.move_to_end(row)
        return entry

    def hold(self, row: bytes, entry: Entry, value_size: int, held: Held) -> None:
        """Take a write; when there is no room, all dirty rows of this store go on (K3)."""
        self._add(row, entry, value_size + held.size(), held)
        self._dirty.pop(row, None)
        self._dirty[row] = None
        self._make_room()

    def remember(self, row: bytes, entry: Entry, value_size: int) -> None:
        """Keep a row that was read."""
        self._add(row, entry, value_size + _CONTEXT_SIZE, None)
        self._make_room()

    def flushing(self, every: int, first: tuple[bytes, Entry, Held] | None = None) -> Iterator[None]:
        """All dirty rows go on, in the order of their last write, a yield between so many of them; they stay as clean
        ones, but for deletions."""
        if first is None and not self._dirty:
            return
        going = [] if first is None else [first]
        deleted = []
        for row in self._dirty:
            held = self._recent[row][1]
            entry = self.rows.entries[row]
            if held is not None:
                going.append((row, entry, held))
            if entry[0] is None:
                deleted.append(row)
        self._dirty = {}
        for at in range(0, len(going), every):
            if at:
                yield
            self.listener(going[at : at + every])
        for row in deleted:
            # Unless the listener came back to it.
            if row not in self._dirty:
                self._remove(row)

    def _add(self, row: bytes, entry: Entry, size: int, held: Held | None) -> None:
        size += len(row) + _ENTRY_SIZE
        before = self._recent.get(row)
        if before is None:
            prefix = row[: self._prefix]
            self.prefixes[prefix] = self.prefixes.get(prefix, 0) + 1
        else:
            size_before, _ = before
            self._cache.size -= size_before
        self._recent[row] = (size, held)
        self._recent.move_to_end(row)
        self.rows.replace(row, entry)
        self._cache.size += size

    def _make_room(self) -> None:
        cache = self._cache
        # An empty part gives up: what is too much is held by others.
        while cache.size > cache.max_bytes and self._recent:
            row = next(iter(self._recent))
            held, entry = self._recent[row][1], self.rows.entries[row]
            dirty = row in self._dirty
            self._remove(row)
            if dirty and held is not None:
                finish(self.flushing(ALL, (row, entry, held)))

    def _remove(self, row: bytes) -> None:
        size, _ = self._recent.pop(row)
        self._cache.size -= size
        self._dirty.pop(row, None)
        self.rows.remove(row)
        prefix = row[: self._prefix]
        self.prefixes[prefix] -= 1
        if not self.prefixes[prefix]:
            del self.prefixes[prefix]


def _nowhere(rows: Sequence[tuple[bytes, Entry, Held]]) -> None:
    """Before a store is behind the cache, nothing can be in it."""
