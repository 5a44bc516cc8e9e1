"""Windowed joins of two streams: inner, left and outer (F1-F6, F8; KStreamJoinWindow, KStreamKStreamJoin).

Each side is two nodes: one joins a record with what the other side has kept, then the other keeps the record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.context import Context
from app.streams.joins.kept import fetch_of
from app.streams.joins.time_tracker import LARGEST_LONG, TimeTracker
from app.streams.model import Forward
from app.streams.stores.outer_join import OuterJoinStore, Waiting
from app.streams.stores.window import WindowStore
from app.streams.topology.runtime import Runtime
from app.streams.windows.definitions import JoinWindows


@dataclass(frozen=True, slots=True)
class KeepForJoin:
    """First the children join the record, then it is kept: a record of a self-join does not meet itself (F1)."""

    store: str

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        put, ctx = runtime.store(self.store).put, runtime.ctx

        def step(key: Any, value: Any) -> None:
            forward(key, value)
            # A null value is logged as well, under a number of its own (F2).
            if key is not None:
                put(key, value, ctx.timestamp)

        return step


@dataclass(frozen=True, slots=True)
class JoinSide:
    """One side's records against the other side's store.

    join: the name both sides share. waiting: the store of rows without a partner, None for inner joins. outer: whether
    records of this side make results without a partner. joiner: (key, left, right) -> result.
    """

    join: str
    joiner: Callable[[Any, Any, Any], Any]
    windows: JoinWindows
    other_store: str
    waiting: str | None
    is_left: bool
    outer: bool

    @property
    def before(self) -> int:
        """How much older the other record may be, in ms."""
        return self.windows.before if self.is_left else self.windows.after

    @property
    def after(self) -> int:
        return self.windows.after if self.is_left else self.windows.before

    def joined(self) -> Callable[[Any, Any, Any], Any]:
        """The joiner as (key, this value, other value) -> result."""
        joiner = self.joiner
        return joiner if self.is_left else lambda key, this, other: joiner(key, other, this)

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        others = runtime.store(self.other_store)
        if self.waiting is None:
            return _inner_step(self, runtime.ctx, others, forward)
        tracker = runtime.shared(f"{self.join}-times", TimeTracker)
        tracker.stream_time = runtime.remembered(f"{self.join}-time", lambda: tracker.stream_time)
        tracker.earliest = runtime.remembered(f"{self.join}-earliest", lambda: tracker.earliest, LARGEST_LONG)
        waiting = runtime.store(self.waiting)
        emit_closed = _closed_rows(self, runtime, tracker, waiting, forward)
        return _outer_step(self, runtime.ctx, others, waiting, tracker, emit_closed, forward)


def _inner_step(side: JoinSide, ctx: Context, others: WindowStore[Any, Any], forward: Forward) -> Forward:
    joined, before, after, fetch = side.joined(), side.before, side.after, fetch_of(others)

    def step(key: Any, value: Any) -> None:
        if key is None or value is None:
            ctx.dropped()
            return
        timestamp = ctx.timestamp
        for other_time, other in fetch(key, max(timestamp - before, 0), max(timestamp + after, 0)):
            if other_time > timestamp:
                ctx.timestamp = other_time
            forward(key, joined(key, value, other))
            ctx.timestamp = timestamp

    return step


def _outer_step(  # noqa: PLR0913  # the parts of one closure
    side: JoinSide,
    ctx: Context,
    others: WindowStore[Any, Any],
    waiting: OuterJoinStore,
    tracker: TimeTracker,
    emit_closed: Callable[[], None],
    forward: Forward,
) -> Forward:
    joined, before, after, fetch = side.joined(), side.before, side.after, fetch_of(others)
    outer, is_left = side.outer, side.is_left

    def step(key: Any, value: Any) -> None:
        timestamp = ctx.timestamp
        # Before all checks: even a record that is dropped moves time (A8).
        if timestamp > tracker.stream_time:
            tracker.stream_time = timestamp
        if value is None or key is None:
            if outer and value is not None:
                forward(key, joined(key, value, None))
            else:
                ctx.dropped()
            return
        # Late records release nothing (F4).
        if timestamp == tracker.stream_time:
            emit_closed()
        alone = outer
        end = max(timestamp + after, 0)
        for other_time, other in fetch(key, max(timestamp - before, 0), end):
            alone = False
            waiting.delete_if_present(other_time, not is_left, key)
            if other_time > timestamp:
                ctx.timestamp = other_time
            forward(key, joined(key, value, other))
            ctx.timestamp = timestamp
        if not alone:
            return
        if end < tracker.stream_time:
            # Its window is over already: there is no point in waiting, though a partner may still come (F3, F5).
            forward(key, joined(key, value, None))
        else:
            tracker.earliest = min(tracker.earliest, timestamp)
            tracker.oldest = min(tracker.oldest, timestamp)
            waiting.put(timestamp, is_left, key, value)

    return step


def _closed_rows(
    side: JoinSide, runtime: Runtime, tracker: TimeTracker, waiting: OuterJoinStore, forward: Forward
) -> Callable[[], None]:
    """Emits the rows whose windows have closed without a partner, oldest first (F4)."""
    ctx, joiner = runtime.ctx, side.joiner
    windows, every = side.windows, runtime.config.outer_join_emit_every()
    reach = side.after + windows.grace

    def emit(row: Waiting, last: Waiting | None) -> None:
        """The row before is deleted after this one's first element has gone out, as Java does it."""
        kept = ctx.timestamp
        for at, value in enumerate(row.values):
            ctx.timestamp = row.timestamp
            forward(row.key, joiner(row.key, value, None) if row.is_left else joiner(row.key, None, value))
            ctx.timestamp = kept
            if at == 0 and last is not None:
                waiting.delete(last.timestamp, last.is_left, last.key)

    def emit_closed() -> None:
        if not tracker.may_be_closed(reach) or ctx.now < tracker.next_scan:
            return
        tracker.next_scan = ctx.now + every
        last = _emit_each(tracker, windows, waiting, emit)
        if last is not None:
            waiting.delete(last.timestamp, last.is_left, last.key)

    return emit_closed


def _emit_each(
    tracker: TimeTracker,
    windows: JoinWindows,
    waiting: OuterJoinStore,
    emit: Callable[[Waiting, Waiting | None], None],
) -> Waiting | None:
    """Emit the closed rows of both sides; gives the last one. Stops once each side has shown a row that is open."""
    last: Waiting | None = None
    left_open = right_open = False
    oldest: int | None = None
    tracker.earliest = LARGEST_LONG
    for row in waiting.all(tracker.oldest):
        tracker.earliest = row.timestamp
        if left_open and right_open:
            break
        # Left rows wait for younger right ones, right rows for left ones that are at most `before` younger.
        if tracker.may_be_closed((windows.after if row.is_left else windows.before) + windows.grace):
            emit(row, last)
            last = row
            continue
        oldest = row.timestamp if oldest is None else oldest
        left_open, right_open = left_open or row.is_left, right_open or not row.is_left
        # Java's store gives the values of one row one by one, so the second of an open row ends the scan.
        if left_open and right_open and len(row.values) > 1:
            break
    tracker.oldest = tracker.stream_time if oldest is None else oldest
    return last
