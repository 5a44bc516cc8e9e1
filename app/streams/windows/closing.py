"""Handing on the final results of windows that close (D14), and remembering over restarts how far that went (D15).

Java: the emit-on-window-close parts of AbstractKStreamTimeWindowAggregateProcessor and KStreamSessionWindowAggregate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.streams.context import Context
from app.streams.model import Forward
from app.streams.topology.runtime import Runtime

NEVER: Final = -1


class Closing:
    """The windows of one operator that closed since it last looked."""

    __slots__ = ("_ctx", "_every", "_metadata", "_next", "_store", "last")

    def __init__(self, runtime: Runtime, store: str) -> None:
        self._ctx: Context = runtime.ctx
        self._metadata = runtime.metadata
        self._store = store
        self._every = runtime.config.window_emit_every()
        self._next = 0
        # Stream time less grace when results were last handed on (D15); NEVER before the first time.
        self.last = runtime.metadata.get(store, NEVER)

    def due(self, close_time: int) -> bool:
        """Whether to look for closed windows now: at most so often by the wall clock, and only if time moved (D14)."""
        now = self._ctx.now
        if now < self._next:
            return False
        self._next = now + self._every
        return self.last == NEVER or self.last < close_time

    def done(self, close_time: int) -> None:
        """All that closed up to this time was handed on; it is committed with the offsets (D15)."""
        self.last = close_time
        self._metadata[self._store] = close_time


def emit_windows(ctx: Context, forward: Forward, fetch_all: Callable[[int, int], Any]) -> Callable[[int, int], None]:
    """emit(earliest start, latest start): hand on what the store has there, in its order, each with its own time."""

    def emit(earliest: int, latest: int) -> None:
        kept = ctx.timestamp
        for window, (value, timestamp) in fetch_all(earliest, latest):
            ctx.timestamp = timestamp
            forward(window, (value, None, True))
        ctx.timestamp = kept

    return emit
