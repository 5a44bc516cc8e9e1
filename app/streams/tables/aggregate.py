"""Aggregates of a stream by key, without windows (C2, A9, A10; Java: KStreamAggregate, KStreamReduce)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.model import Forward
from app.streams.stores.specs import VersionedSpec
from app.streams.tables.keeping import stamped_keeper
from app.streams.tables.views import StoreView
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Count:
    """How many records a key has had."""

    store: str
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        return _fold(
            runtime, forward, self.store, self.send_old, lambda _key, _value, old: 1 if old is None else old + 1
        )


@dataclass(frozen=True, slots=True)
class Reduce:
    """The first value, then what the reducer makes of it and each next one."""

    store: str
    reducer: Callable[[Any, Any], Any]
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        reducer = self.reducer
        return _fold(
            runtime,
            forward,
            self.store,
            self.send_old,
            lambda _key, value, old: value if old is None else reducer(old, value),
        )


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The initializer's result, then what the aggregator makes of it and each value."""

    store: str
    initializer: Callable[[], Any]
    aggregator: Callable[[Any, Any, Any], Any]
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        initializer, aggregator = self.initializer, self.aggregator

        def fold(key: Any, value: Any, old: Any) -> Any:
            return aggregator(key, value, initializer() if old is None else old)

        return _fold(runtime, forward, self.store, self.send_old, fold)


def _fold(
    runtime: Runtime, forward: Forward, store_name: str, send_old: bool, fold: Callable[[Any, Any, Any], Any]
) -> Forward:
    """fold(key, value, old or None) → new or None. Result time: the later of the old one's and the record's (A9)."""
    store, ctx = runtime.store(store_name), runtime.ctx
    if isinstance(store.spec, VersionedSpec):
        return _fold_versions(runtime, store_name, stamped_keeper(store, ctx, forward, send_old=send_old), fold)
    get, put, caches = store.get, store.put, store.caches
    if caches:
        store.on_flush(forward, send_old)

    def step(key: Any, value: Any) -> None:
        if key is None or value is None:
            ctx.dropped()
            return
        found = get(key)
        if found is None:
            old, timestamp = None, ctx.timestamp
        else:
            old, timestamp = found
            if timestamp < ctx.timestamp:
                timestamp = ctx.timestamp
        new = fold(key, value, old)
        put(key, new, timestamp)
        if caches:
            return
        kept = ctx.timestamp
        ctx.timestamp = timestamp
        forward(key, (new, old if send_old else None, True))
        ctx.timestamp = kept

    return step


def _fold_versions(
    runtime: Runtime,
    store_name: str,
    keep: Callable[[Any, Any, Any, int], None],
    fold: Callable[[Any, Any, Any], Any],
) -> Forward:
    """The same in a versioned store: each result is a version, and one that is too old may be refused (I6)."""
    ctx, get = runtime.ctx, StoreView(store_name).open(runtime)

    def step(key: Any, value: Any) -> None:
        if key is None or value is None:
            ctx.dropped()
            return
        found = get(key)
        old, timestamp = (None, ctx.timestamp) if found is None else found
        keep(key, fold(key, value, old), old, max(timestamp, ctx.timestamp))

    return step
