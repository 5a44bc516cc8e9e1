"""A table's changes under another key, on their way to the repartition topic (C4, C5; Java: KTableRepartitionMap)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.model import Change, Forward
from app.streams.topology.runtime import Runtime

Pair = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Regroup:
    """mapper(key, value) → (new key, new value); nothing is handed on for a half whose pair, key or value is None.

    versioned: the table's changes may be out of order, and only the latest ones are to count (F15).
    """

    mapper: Callable[[Any, Any], Pair | None]
    versioned: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        mapper, versioned = self.mapper, self.versioned

        def mapped(key: Any, value: Any) -> Pair | None:
            pair = None if value is None else mapper(key, value)
            return None if pair is None or pair[0] is None or pair[1] is None else pair

        def step(key: Any, change: Change) -> None:
            if key is None:
                raise ValueError("a record to be grouped by another key has no key itself")
            new, old, latest = change
            if versioned and not latest:
                return
            added, removed = mapped(key, new), mapped(key, old)
            if added is not None and removed is not None and added[0] == removed[0]:
                # C5: both halves in one row, so that they cannot be torn apart.
                forward(added[0], (added[1], removed[1], latest))
                return
            if removed is not None:
                forward(removed[0], (None, removed[1], latest))
            if added is not None:
                forward(added[0], (added[1], None, latest))

        return step
