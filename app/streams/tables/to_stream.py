"""A table's changes as a stream of their new values (E7, C10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.streams.model import Change, Forward
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ToStream:
    """Tombstones included; old values end here."""

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        def step(key: Any, change: Change) -> None:
            forward(key, change[0])

        return step
