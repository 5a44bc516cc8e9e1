"""Joins that look up a row for each record of a stream: in a table or a global table (F9-F12; KStreamKTableJoin).

Only the stream's records make results; a change of the table shows in the records after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.context import Context
from app.streams.joins.versions import open_as_of
from app.streams.model import Forward
from app.streams.stores.grace_buffer import Due, GraceBuffer
from app.streams.tables.views import View
from app.streams.topology.runtime import Runtime

# (key, stream's value, table's value or None) -> result.
KeyedJoiner = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class LookupJoin:
    """outer: a left join, which keeps records without a row, or without a key to look one up.

    selector: gives the key of the row (global tables); None: the record's own. buffer: the store in which records wait
    until the table had its grace to catch up (F11).
    """

    view: View
    joiner: KeyedJoiner
    outer: bool
    selector: Callable[[Any, Any], Any] | None = None
    buffer: str | None = None

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        find = _finder(self.view, runtime)
        if self.selector is not None:
            return self._by_selector(runtime.ctx, find, forward, self.selector)
        if self.buffer is not None:
            return self._buffered(runtime.ctx, find, forward, runtime.store(self.buffer))
        return self._by_key(runtime.ctx, find, forward)

    def _by_key(self, ctx: Context, find: Callable[[Any], Any], forward: Forward) -> Forward:
        joiner, outer = self.joiner, self.outer

        def step(key: Any, value: Any) -> None:
            if value is None or (key is None and not outer):
                ctx.dropped()
                return
            row = None if key is None else find(key)
            if row is not None:
                forward(key, joiner(key, value, row[0]))
            elif outer:
                forward(key, joiner(key, value, None))

        return step

    def _by_selector(
        self, ctx: Context, find: Callable[[Any], Any], forward: Forward, selector: Callable[[Any, Any], Any]
    ) -> Forward:
        joiner, outer = self.joiner, self.outer

        def step(key: Any, value: Any) -> None:
            # The selector sees null values too: Java asks it first.
            selected = selector(key, value)
            if value is None or (selected is None and not outer):
                ctx.dropped()
                return
            row = None if selected is None else find(selected)
            if row is not None:
                forward(key, joiner(key, value, row[0]))
            elif outer:
                forward(key, joiner(key, value, None))

        return step

    def _buffered(self, ctx: Context, find: Callable[[Any], Any], forward: Forward, buffer: GraceBuffer) -> Forward:
        join = self._by_key(ctx, find, forward)

        def step(key: Any, value: Any) -> None:
            # What comes too late to wait is joined at once; so is a record without a key, on which Java fails.
            if key is None or value is None or not buffer.put(key, value):
                join(key, value)
                return
            for due in buffer.evict():
                _join_in_its_context(ctx, join, due)

        return step


def _finder(view: View, runtime: Runtime) -> Callable[[Any], tuple[Any, int] | None]:
    """The table's row of a key; of a versioned table the row valid at the time of the record (F10)."""
    as_of = open_as_of(view, runtime)
    if as_of is None:
        return view.open(runtime)
    get, ctx = as_of, runtime.ctx
    return lambda key: get(key, ctx.timestamp)


def _join_in_its_context(ctx: Context, join: Forward, due: Due) -> None:
    """The record counts as the one it was, not as the one that let it go."""
    kept = ctx.timestamp, ctx.offset, ctx.topic, ctx.partition, ctx.headers
    ctx.timestamp, ctx.offset, ctx.topic, ctx.partition, ctx.headers = due.origin
    try:
        join(due.key, due.value)
    finally:
        ctx.timestamp, ctx.offset, ctx.topic, ctx.partition, ctx.headers = kept
