"""The records that one side of a windowed join keeps for the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from app.streams.stores.window import WindowStore

# (key, earliest time, latest time) -> (time, value) of each record, by time, then in the order they came.
Fetch: TypeAlias = Callable[[Any, int, int], Iterator[tuple[int, Any]]]


def fetch_of(store: WindowStore[Any, Any]) -> Fetch:
    """Records by their times; the timestamps some stores add to values say the same once more."""
    if not store.spec.timestamped:
        return store.fetch
    fetch = store.fetch
    return lambda key, earliest, latest: ((time, value) for time, (value, _) in fetch(key, earliest, latest))
