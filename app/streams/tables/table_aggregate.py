"""Aggregates of a table's rows under another key (C4, C6, C7; Java: KTableAggregate, KTableReduce).

A row that changes is first taken out with its old value, then put in with its new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.streams.model import Change, Forward
from app.streams.tables.keeping import stamped_keeper
from app.streams.tables.views import StoreView
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class TableAggregate:
    """adder(key, value, so far) and subtractor(key, value, so far); None deletes the row."""

    store: str
    initializer: Callable[[], Any]
    adder: Callable[[Any, Any, Any], Any]
    subtractor: Callable[[Any, Any, Any], Any]
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        initializer, adder, subtractor = self.initializer, self.adder, self.subtractor
        ctx = runtime.ctx
        get = StoreView(self.store).open(runtime)
        keep = stamped_keeper(runtime.store(self.store), ctx, forward, send_old=self.send_old)

        def step(key: Any, change: Change) -> None:
            _check_key(key)
            added, removed, _ = change
            found = get(key)
            timestamp = ctx.timestamp
            old, latest = (None, timestamp) if found is None else found
            so_far = old
            if removed is not None and old is not None:
                so_far = subtractor(key, removed, old)
                timestamp = max(timestamp, latest)
            if added is not None:
                so_far = adder(key, added, initializer() if so_far is None else so_far)
                timestamp = max(timestamp, latest)
            keep(key, so_far, old, timestamp)

        return step


@dataclass(frozen=True, slots=True)
class TableReduce:
    """adder(so far, value) and subtractor(so far, value); the first value is kept as it is (C6)."""

    store: str
    adder: Callable[[Any, Any], Any]
    subtractor: Callable[[Any, Any], Any]
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        adder, subtractor = self.adder, self.subtractor
        ctx = runtime.ctx
        get = StoreView(self.store).open(runtime)
        keep = stamped_keeper(runtime.store(self.store), ctx, forward, send_old=self.send_old)

        def step(key: Any, change: Change) -> None:
            _check_key(key)
            added, removed, _ = change
            found = get(key)
            timestamp = ctx.timestamp
            old, latest = (None, timestamp) if found is None else found
            so_far = old
            if removed is not None and old is not None:
                so_far = subtractor(old, removed)
                timestamp = max(timestamp, latest)
            if added is not None and so_far is not None:
                so_far = adder(so_far, added)
                timestamp = max(timestamp, latest)
            elif added is not None:
                so_far = added
            keep(key, so_far, old, timestamp)

        return step


def _one_more(_key: Any, _value: Any, count: int) -> int:
    return count + 1


def _one_less(_key: Any, _value: Any, count: int) -> int:
    return count - 1


def table_count(store: str, *, send_old: bool) -> TableAggregate:
    """How many rows a key has; 0 is kept, not deleted (C6)."""
    return TableAggregate(store, _ZERO, _one_more, _one_less, send_old)


_ZERO: Final[Callable[[], int]] = int


def _check_key(key: Any) -> None:
    """C7: what writes the repartition topic lets none without a key through."""
    if key is None:
        raise ValueError("a change of a grouped table has no key")
