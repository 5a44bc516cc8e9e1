"""Key-value store of bounded size (I1; Java: MemoryNavigableLRUCache)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterable
from typing import TypeVar

from app.streams.model import Row
from app.streams.stores.key_value import KeyValueStore
from app.streams.stores.slices import ALL
from app.streams.stores.specs import LruSpec
from app.streams.stores.store import Home, Restored

K = TypeVar("K")
V = TypeVar("V")


class LruStore(KeyValueStore[K, V]):
    """Keeps the `capacity` keys put or got last; a scan uses none. An eviction is logged as a tombstone, before the put
    that caused it."""

    __slots__ = ("_capacity", "_overtaken", "_recency")

    kind = "lru"

    def __init__(self, spec: LruSpec, home: Home) -> None:
        super().__init__(spec, home)
        self._capacity = spec.capacity
        # Rows evicted by the very put_all that put them: what is logged of them last is the put.
        self._overtaken: dict[bytes, tuple[V, int]] = {}
        # The order of use is not kept with the rows: after a restart it is that of the keys, or of the changelog.
        self._recency: OrderedDict[bytes, None] = OrderedDict.fromkeys(row for row, _ in home.base.scan(None, None))

    def get_row(self, row: bytes) -> V | None:
        value = super().get_row(row)
        if value is not None:
            self._recency.move_to_end(row)
        return value

    def put_row(self, row: bytes, value: V | None) -> None:
        self._make_room(row, value)
        super().put_row(row, value)

    def put_all(self, pairs: Iterable[tuple[K, V | None]]) -> None:
        """Java logs all evictions, then all puts, also those of rows that were evicted again."""
        rows = [(self._serialize_key(key), value) for key, value in pairs]
        for row, value in rows:
            self._make_room(row, value)
            self._keep(row, value)
        for row, value in rows:
            self._log_again(row, value)

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        overtaken, self._overtaken = self._overtaken, {}
        rows = yield from super().sealing(every)
        if not overtaken or not self._changelog.log:
            return rows
        change, serialize = self._changelog.row, self._serialize
        # In front: whatever was evicted is older than all that stayed, and a restore evicts in the order of rows.
        evicted = [change(row, serialize(value), timestamp) for row, (value, timestamp) in overtaken.items()]
        return evicted + [row for row in rows if row.key not in overtaken]

    def _make_room(self, row: bytes, value: V | None) -> None:
        recency = self._recency
        self._overtaken.pop(row, None)
        if value is None:
            recency.pop(row, None)
            return
        recency[row] = None
        recency.move_to_end(row)
        if len(recency) > self._capacity:
            eldest, _ = recency.popitem(last=False)
            self._overtaken.pop(eldest, None)
            super().put_row(eldest, None)

    def _keep(self, row: bytes, value: V | None) -> None:
        self._overlay.put(row, (value, self._ctx.timestamp))

    def _log_again(self, row: bytes, value: V | None) -> None:
        timestamp = self._ctx.timestamp
        if value is None or row in self._recency:
            self._overtaken.pop(row, None)
        else:
            self._overtaken[row] = (value, timestamp)
        if self._changelog.at_once:
            self._changelog.send(row, None if value is None else self._serialize(value), timestamp)

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """Evicts as it goes, without logging."""
        recency = self._recency
        kept: dict[bytes, Restored] = {}
        for record in rows:
            row = record[0]
            if row is None:
                continue
            kept[row] = record
            if record[1] is None:
                recency.pop(row, None)
                continue
            recency[row] = None
            recency.move_to_end(row)
            if len(recency) > self._capacity:
                eldest, _ = recency.popitem(last=False)
                kept[eldest] = (eldest, None, record[2], ())
        super().restore(kept.values(), position)

    def approximate_num_entries(self) -> int:
        return len(self._recency)
