"""Writing a table's rows to its store, and handing the change on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from app.streams.model import Forward
from app.streams.stores.specs import VersionedSpec

# (key, new value, old value or None): keeps the row and forwards the change.
Keep: TypeAlias = Callable[[Any, Any, Any], None]


def keeper(store: Any, ctx: Any, forward: Forward, *, send_old: bool) -> Keep:
    """Put a row with the record's time, then forward (new, old, is latest).

    A store with a record cache forwards by itself, later (K4). A versioned store forwards nothing when it refuses a
    row that is too old (I6), and says when the row is not the latest of its key (F15).
    """
    if isinstance(store.spec, VersionedSpec):
        return _versioned(store, ctx, forward, send_old)
    put = store.put
    if store.caches:
        store.on_flush(forward, send_old)

        def keep_cached(key: Any, new: Any, _old: Any) -> None:
            put(key, new, ctx.timestamp)

        return keep_cached

    def keep(key: Any, new: Any, old: Any) -> None:
        put(key, new, ctx.timestamp)
        forward(key, (new, old if send_old else None, True))

    return keep


def stamped_keeper(store: Any, ctx: Any, forward: Forward, *, send_old: bool) -> Callable[[Any, Any, Any, int], None]:
    """The same for results with a time of their own: keep(key, new, old, timestamp), forwarded with that time.

    A deletion is logged with the time of the record all the same (A10).
    """
    put, versioned = store.put, isinstance(store.spec, VersionedSpec)
    silent = store.caches
    if silent:
        store.on_flush(forward, send_old)

    def keep(key: Any, new: Any, old: Any, timestamp: int) -> None:
        valid_to = put(key, new, timestamp)
        if silent or (versioned and valid_to == NOT_PUT):
            return
        kept = ctx.timestamp
        ctx.timestamp = timestamp
        forward(key, (new, old if send_old else None, not versioned or valid_to == LATEST))
        ctx.timestamp = kept

    return keep


def _versioned(store: Any, ctx: Any, forward: Forward, send_old: bool) -> Keep:
    put = store.put

    def keep(key: Any, new: Any, old: Any) -> None:
        valid_to = put(key, new, ctx.timestamp)
        if valid_to != NOT_PUT:
            forward(key, (new, old if send_old else None, valid_to == LATEST))

    return keep


LATEST = -1
NOT_PUT = -(2**63)
