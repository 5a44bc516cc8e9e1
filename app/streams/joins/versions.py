"""Reading a versioned table as it was at some time (F10): from its store, or through what is computed from one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from app.streams.stores.specs import VersionedSpec
from app.streams.tables.views import ComputedView, StoreView, View
from app.streams.topology.runtime import Runtime

# (key, time in ms) -> (value, valid from), or None.
GetterAsOf: TypeAlias = Callable[[Any, int], tuple[Any, int] | None]


def open_as_of(view: View, runtime: Runtime) -> GetterAsOf | None:
    """None if the table has no versions. Tables made by joins have none, whatever they were made from."""
    if isinstance(view, StoreView):
        store = runtime.store(view.store)
        return _stored(store) if isinstance(store.spec, VersionedSpec) else None
    if isinstance(view, ComputedView):
        above = open_as_of(view.parent, runtime)
        return None if above is None else _computed(above, view)
    return None


def _stored(store: Any) -> GetterAsOf:
    get = store.get

    def get_as_of(key: Any, time: int) -> tuple[Any, int] | None:
        found = get(key, time)
        return None if found is None else (found.value, found.timestamp)

    return get_as_of


def _computed(above: GetterAsOf, view: ComputedView) -> GetterAsOf:
    def get_as_of(key: Any, time: int) -> tuple[Any, int] | None:
        found = above(key, time)
        if found is None and not view.of_absent:
            return None
        old, timestamp = found if found is not None else (None, -1)
        value = view.compute(key, old)
        return None if value is None else (value, timestamp)

    return get_as_of
