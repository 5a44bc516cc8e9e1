"""Reading a table by key (E6): from its store, or through its parents if it has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from app.streams.stores.specs import VersionedSpec
from app.streams.topology.runtime import Runtime

# key -> (value, timestamp), or None if the table has no row. Never gives a row without a value.
Getter: TypeAlias = Callable[[Any], tuple[Any, int] | None]


class View(Protocol):
    """How to read a table; `stores` are the ones the reading node must be connected to."""

    @property
    def stores(self) -> tuple[str, ...]: ...

    def open(self, runtime: Runtime) -> Getter: ...


@dataclass(frozen=True, slots=True)
class StoreView:
    """A table in a key-value store, timestamped or versioned."""

    store: str

    @property
    def stores(self) -> tuple[str, ...]:
        return (self.store,)

    def open(self, runtime: Runtime) -> Getter:
        store = runtime.store(self.store)
        if isinstance(store.spec, VersionedSpec):
            return _latest_version(store)
        get: Getter = store.get
        return get


@dataclass(frozen=True, slots=True)
class ComputedView:
    """A table without a store: its parent's row, computed anew on each read.

    compute(key, value) gives the value or None; it is called for an absent row only with `of_absent`.
    """

    parent: View
    compute: Callable[[Any, Any], Any]
    of_absent: bool = False

    @property
    def stores(self) -> tuple[str, ...]:
        return self.parent.stores

    def open(self, runtime: Runtime) -> Getter:
        above, compute, of_absent = self.parent.open(runtime), self.compute, self.of_absent

        def get(key: Any) -> tuple[Any, int] | None:
            found = above(key)
            if found is None and not of_absent:
                return None
            old, timestamp = found if found is not None else (None, -1)
            value = compute(key, old)
            return None if value is None else (value, timestamp)

        return get


def _latest_version(store: Any) -> Getter:
    def get(key: Any) -> tuple[Any, int] | None:
        found = store.get(key)
        return None if found is None else (found.value, found.timestamp)

    return get
