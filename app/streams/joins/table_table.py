"""Joins of two tables by key (F13-F15; KTableKTableInnerJoin, LeftJoin, RightJoin, OuterJoin, JoinMerger).

A change on either side meets the other side's row of that key. What differs between the kinds is written down in
`_inner`, `_outer_this` and so on as (new, old, other row) -> change or None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.streams.model import Change, Forward
from app.streams.tables.keeping import keeper
from app.streams.tables.views import Getter, View
from app.streams.topology.runtime import Runtime

# (this value, other value) -> result
Pair: TypeAlias = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class TableJoinSide:
    """Changes of one side. joiner: (key, this value, other value) -> result.

    keeps_this, keeps_other: whether a row of this side, or of the other one, makes a result without a partner.
    versioned: this side's changes that are not the latest of their key are dropped (F15).
    """

    joiner: Callable[[Any, Any, Any], Any]
    other: View
    keeps_this: bool
    keeps_other: bool
    versioned: bool
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        joiner, get, ctx = self.joiner, self.other.open(runtime), runtime.ctx
        keeps_this, keeps_other = self.keeps_this, self.keeps_other
        versioned, send_old = self.versioned, self.send_old

        def step(key: Any, change: Change) -> None:
            new, old, latest = change
            if key is None or (versioned and not latest):
                ctx.dropped()
                return
            row = get(key)
            timestamp = ctx.timestamp
            if row is None:
                if not keeps_this or (new is None and old is None):
                    return
                other, other_time = None, timestamp
            else:
                other, other_time = row
            # With a partner that makes results by itself, there is one whatever happens on this side.
            always = keeps_other and row is not None
            joined = joiner(key, new, other) if always or new is not None else None
            before = joiner(key, old, other) if send_old and (always or old is not None) else None
            if other_time > timestamp:
                ctx.timestamp = other_time
            forward(key, (joined, before, latest))
            ctx.timestamp = timestamp

        return step


@dataclass(frozen=True, slots=True)
class TableJoinMerge:
    """Both sides' results, kept if there is a store for them."""

    store: str | None
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        if self.store is None:
            # The sides have left out the old values already if nobody wants them.
            return forward
        keep = keeper(runtime.store(self.store), runtime.ctx, forward, send_old=self.send_old)

        def step(key: Any, change: Change) -> None:
            keep(key, change[0], change[1])

        return step


@dataclass(frozen=True, slots=True)
class JoinedView:
    """A join that is in no store, read by joining both sides' rows anew (E6)."""

    left: View
    right: View
    joiner: Callable[[Any, Any, Any], Any]
    keeps_left: bool
    keeps_right: bool

    @property
    def stores(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.left.stores, *self.right.stores)))

    def open(self, runtime: Runtime) -> Getter:
        left, right, joiner = self.left.open(runtime), self.right.open(runtime), self.joiner
        keeps_left, keeps_right = self.keeps_left, self.keeps_right

        def get(key: Any) -> tuple[Any, int] | None:
            this = left(key)
            if this is None and not keeps_right:
                return None
            other = right(key)
            if other is None and (this is None or not keeps_left):
                return None
            this_value, this_time = this if this is not None else (None, -1)
            other_value, other_time = other if other is not None else (None, -1)
            value = joiner(key, this_value, other_value)
            return None if value is None else (value, max(this_time, other_time))

        return get
