"""Rows of a table that a predicate accepts; the others become tombstones (E5; Java: KTableFilter)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.model import Change, Forward
from app.streams.tables.keeping import keeper
from app.streams.tables.views import StoreView
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class TableFilter:
    """`versioned`: the result is versioned too, so that nothing may be held back."""

    predicate: Callable[[Any, Any], bool]
    negate: bool
    store: str | None
    send_old: bool
    versioned: bool = False

    def passed(self, key: Any, value: Any) -> Any:
        """The value if it passes, else None."""
        return value if value is not None and bool(self.predicate(key, value)) != self.negate else None

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        passed, send_old = self.passed, self.send_old
        # A row that did not pass before and does not now changed nothing that anyone below has seen.
        hold_back = send_old and not self.versioned
        if self.store is None:

            def step(key: Any, change: Change) -> None:
                new, old, latest = change
                new = passed(key, new)
                old = passed(key, old) if send_old else None
                if not (hold_back and new is None and old is None):
                    forward(key, (new, old, latest))

            return step

        get = StoreView(self.store).open(runtime)
        keep = keeper(runtime.store(self.store), runtime.ctx, forward, send_old=send_old)

        def step_kept(key: Any, change: Change) -> None:
            new = passed(key, change[0])
            kept = get(key) if send_old else None
            old = None if kept is None else kept[0]
            if not (hold_back and new is None and old is None):
                keep(key, new, old)

        return step_kept
