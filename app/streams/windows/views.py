"""Reading windowed tables by key and window (E6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.streams.model import Windowed
from app.streams.topology.runtime import Runtime

# key and window -> (value, timestamp), or None.
WindowGetter: TypeAlias = Callable[[Windowed[Any]], tuple[Any, int] | None]


@dataclass(frozen=True, slots=True)
class WindowView:
    """A table in a timestamped window store."""

    store: str

    @property
    def stores(self) -> tuple[str, ...]:
        return (self.store,)

    def open(self, runtime: Runtime) -> WindowGetter:
        get = runtime.store(self.store).get
        return lambda window: get(window.key, window.start)


@dataclass(frozen=True, slots=True)
class SessionView:
    """A table in a session store. The time of a row is the end of its session."""

    store: str

    @property
    def stores(self) -> tuple[str, ...]:
        return (self.store,)

    def open(self, runtime: Runtime) -> WindowGetter:
        fetch = runtime.store(self.store).get

        def get(window: Windowed[Any]) -> tuple[Any, int] | None:
            value = fetch(window.key, window.start, window.end)
            return None if value is None else (value, window.end)

        return get
