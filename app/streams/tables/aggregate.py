"""Aggregates of a stream by key, without windows (C2, A9, A10; Java: KStreamAggregate, KStreamReduce)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.streams.context import Context
from app.streams.model import Forward
from app.streams.stores.specs import VersionedSpec
from app.streams.tables.keeping import stamped_keeper
from app.streams.tables.views import Getter, StoreView
from app.streams.topology.runtime import Runtime

# fold(key, value, so far) → new; None deletes.
Fold: TypeAlias = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Count:
    """How many records a key has had."""

    store: str
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        return _folding(runtime, forward, self, int, lambda _key, _value, count: count + 1)


@dataclass(frozen=True, slots=True)
class Reduce:
    """The first value, then what the reducer makes of it and each next one."""

    store: str
    reducer: Callable[[Any, Any], Any]
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        reducer = self.reducer

        def fold(_key: Any, value: Any, so_far: Any) -> Any:
            return value if so_far is None else reducer(so_far, value)

        return _folding(runtime, forward, self, _nothing, fold)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The initializer's result, then what the aggregator makes of it and each value."""

    store: str
    initializer: Callable[[], Any]
    aggregator: Fold
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        return _folding(runtime, forward, self, self.initializer, self.aggregator)


def _nothing() -> None:
    """What a reduce begins with."""


def _folding(
    runtime: Runtime, forward: Forward, spec: Count | Reduce | Aggregate, initial: Callable[[], Any], fold: Fold
) -> Forward:
    """Result time: the later of the old one's and the record's (A9). The first old value is the initial one (C10)."""
    store, ctx, send_old = runtime.store(spec.store), runtime.ctx, spec.send_old
    if isinstance(store.spec, VersionedSpec):
        keep = stamped_keeper(store, ctx, forward, send_old=send_old)
        return _folding_versions(ctx, StoreView(spec.store).open(runtime), keep, initial, fold)
    get_row, put_row, key_bytes, caches = store.get_row, store.put_row, store.key_bytes, store.caches
    if caches:
        store.on_flush(forward, send_old)

    def step(key: Any, value: Any) -> None:
        if key is None or value is None:
            ctx.dropped()
            return
        timestamp = ctx.timestamp
        row = key_bytes(key)
        found = get_row(row)
        if found is None:
            old = initial()
        else:
            old, latest = found
            if latest > timestamp:
                timestamp = latest
        new = fold(key, value, old)
        put_row(row, new, timestamp)
        if caches:
            return
        kept = ctx.timestamp
        ctx.timestamp = timestamp
        forward(key, (new, old if send_old else None, True))
        ctx.timestamp = kept

    return step


def _folding_versions(
    ctx: Context,
    get: Getter,
    keep: Callable[[Any, Any, Any, int], None],
    initial: Callable[[], Any],
    fold: Fold,
) -> Forward:
    """The same in a versioned store: each result is a version, and one that is too old may be refused (I6)."""

    def step(key: Any, value: Any) -> None:
        if key is None or value is None:
            ctx.dropped()
            return
        found = get(key)
        old, latest = (initial(), ctx.timestamp) if found is None else found
        keep(key, fold(key, value, old), old, max(latest, ctx.timestamp))

    return step
