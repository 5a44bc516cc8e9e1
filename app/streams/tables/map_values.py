"""Rows of a table with another value (E6; Java: KTableMapValues, KTableTransformValues)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.model import Change, Forward
from app.streams.tables.keeping import keeper
from app.streams.tables.views import StoreView
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class TableMapValues:
    """`of_null`: the function is called for deletions too, as transformValues does and mapValues does not."""

    mapper: Callable[[Any, Any], Any]
    of_null: bool
    store: str | None
    send_old: bool

    def mapped(self, key: Any, value: Any) -> Any:
        return self.mapper(key, value) if value is not None or self.of_null else None

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        mapped, send_old = self.mapped, self.send_old
        if self.store is None:

            def step(key: Any, change: Change) -> None:
                new, old, latest = change
                new = mapped(key, new)
                forward(key, (new, mapped(key, old) if send_old else None, latest))

            return step

        get = StoreView(self.store).open(runtime)
        keep = keeper(runtime.store(self.store), runtime.ctx, forward, send_old=send_old)

        def step_kept(key: Any, change: Change) -> None:
            new = mapped(key, change[0])
            kept = get(key) if send_old else None
            keep(key, new, None if kept is None else kept[0])

        return step_kept
