"""Key-value store of bounded size (I1; Java: MemoryNavigableLRUCache)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeVar

from app.streams.stores.key_value import KeyValueStore
from app.streams.stores.specs import LruSpec
from app.streams.stores.store import Home, Restored

K = TypeVar("K")
V = TypeVar("V")


class LruStore(KeyValueStore[K, V]):
    """Keeps the `capacity` keys put or got last; scans use no key. An eviction is logged as a tombstone, before the put that caused it."""

    __slots__ = ("_capacity", "_recency")

    kind = "lru"

    def __init__(self, spec: LruSpec, home: Home) -> None:
        super().__init__(spec, home)
        self._capacity = spec.capacity
        # The order of use is not kept with the rows: after a restart it is that of the keys, or of the changelog.
        self._recency: OrderedDict[bytes, None] = OrderedDict.fromkeys(row for row, _ in home.base.scan(None, None))

    def get_row(self, row: bytes) -> V | None:
        value = super().get_row(row)
        if value is not None:
            self._recency.move_to_end(row)
        return value

    def put_row(self, row: bytes, value: V | None) -> None:
        recency = self._recency
        if value is None:
            recency.pop(row, None)
        else:
            recency[row] = None
            recency.move_to_end(row)
            if len(recency) > self._capacity:
                super().put_row(recency.popitem(last=False)[0], None)
        super().put_row(row, value)

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
