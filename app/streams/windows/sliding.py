"""Aggregates over sliding windows (Java: KStreamSlidingWindowAggregate).

A record at t belongs to every window that contains t. Of those exist the ones that begin or end at a record: its own
left window [t - d, t], which ends with it, and its right window [t + 1, t + 1 + d], made once something lies in it.
A window's timestamp in the store is that of its latest record, which tells whether anything lies right of t (D7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from app.streams.context import Context
from app.streams.model import Forward
from app.streams.topology.runtime import Runtime
from app.streams.windows.closing import NEVER, Closing, emit_windows
from app.streams.windows.definitions import Emit, Sliding
from app.streams.windows.fold import Fold, windowed_key

# An aggregate and the time of its latest record; None for an aggregate that is nothing.
Stamped: TypeAlias = tuple[Any, int] | None
# Hands on (key, start, new, old, timestamp).
HandOn: TypeAlias = Callable[[Any, int, Any, Any, int], None]


@dataclass(frozen=True, slots=True)
class SlidingAggregate:
    """One row per key and window in a timestamped window store, by the window's start."""

    store: str
    windows: Sliding
    fold: Fold
    emit: Emit
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx, dropped = runtime.ctx, runtime.ctx.dropped
        difference, grace = self.windows.difference, self.windows.grace
        if difference == 0:
            return _refusing(dropped)
        store = runtime.store(self.store)
        key_bytes, fetch_row = store.key_bytes, store.fetch_row
        rows = _Windows(ctx, store, self.windows, self.fold, self._updates(runtime, forward))
        emit_closed = _closed_windows(runtime, forward, self.store, difference) if self.emit is Emit.ON_CLOSE else None
        # The operator's own (A6).
        stream_time = runtime.remembered(f"{runtime.node}-time", lambda: stream_time)

        def step(key: Any, value: Any) -> None:
            nonlocal stream_time
            if key is None or value is None:  # C3
                dropped()
                return
            timestamp = ctx.timestamp
            if timestamp > stream_time:
                stream_time = timestamp
            close_time = stream_time - grace
            # D9: the late-record rule. Not even a window that begins with the record could still take it.
            if timestamp + difference < close_time:
                dropped()
                return
            row = key_bytes(key)
            record = _Record(key, row, value, timestamp, close_time)
            if timestamp < difference:
                early(rows, record, fetch_row(row, 0, timestamp + 1))
                return  # D15: this path never looks for closed windows
            usual(rows, record, fetch_row(row, max(0, timestamp - 2 * difference), timestamp + 1))
            if emit_closed is not None:
                emit_closed(close_time)

        return step

    def _updates(self, runtime: Runtime, forward: Forward) -> HandOn | None:
        """How updates are handed on (D13); None if they are not, or if the record cache does it."""
        store, ctx = runtime.store(self.store), runtime.ctx
        send_old, difference = self.send_old, self.windows.difference
        if self.emit is Emit.ON_CLOSE:
            return None
        if store.caches:
            store.on_flush(forward, send_old)
            return None

        def hand_on(key: Any, start: int, new: Any, old: Any, timestamp: int) -> None:
            kept = ctx.timestamp
            ctx.timestamp = timestamp
            forward(windowed_key((key, start, start + difference)), (new, old if send_old else None, True))
            ctx.timestamp = kept

        return hand_on


def _refusing(dropped: Callable[[], None]) -> Forward:
    """A difference of 0 can be configured, as in Java, and fails as it does there: no window ends where it begins."""

    def step(key: Any, value: Any) -> None:
        if key is None or value is None:
            dropped()
            return
        raise ValueError("sliding windows need a difference of at least 1 ms to hold a record")

    return step


class _Record(NamedTuple):
    """The record in process; row: its key in bytes."""

    key: Any
    row: bytes
    value: Any
    timestamp: int
    close_time: int


class _Windows:
    """Changes of single windows. difference in ms."""

    __slots__ = ("_dropped", "_fold", "_hand_on", "_put_row", "difference")

    def __init__(self, ctx: Context, store: Any, windows: Sliding, fold: Fold, hand_on: HandOn | None) -> None:
        self.difference: Final = windows.difference
        self._dropped = ctx.dropped
        self._put_row = store.put_row
        self._fold = fold
        self._hand_on = hand_on

    def empty(self, timestamp: int) -> Stamped:
        """What a window begins with; a reduce begins with nothing."""
        return self.beginning(self._fold.initial(), timestamp)

    def beginning(self, aggregate: Any, timestamp: int) -> Stamped:
        return None if aggregate is None else (aggregate, timestamp)

    def update(self, record: _Record, start: int, so_far: Stamped) -> None:
        """Fold the record into a window, unless the window has closed: its end is inclusive (D9)."""
        if start + self.difference < record.close_time:
            self._dropped()
            return
        old, timestamp = (None, record.timestamp) if so_far is None else so_far
        new = self._fold.add(record.key, record.value, old)
        timestamp = max(timestamp, record.timestamp)
        self._put_row(record.row, new, start, timestamp)
        if self._hand_on is not None:
            self._hand_on(record.key, start, new, old, timestamp)

    def create_right(self, record: _Record, content: tuple[Any, int]) -> None:
        """The record's right window, which holds what is younger than the record, but not the record."""
        start = record.timestamp + 1
        self._put_row(record.row, content[0], start, content[1])
        if self._hand_on is not None:
            self._hand_on(record.key, start, content[0], None, content[1])


def usual(windows: _Windows, record: _Record, found: Sequence[tuple[int, tuple[Any, int]]]) -> None:
    """found: the key's windows that start in [t - 2d, t + 1], ascending. Newest first are changed (D10)."""
    timestamp, difference = record.timestamp, windows.difference
    starts = {start for start, _ in found}
    left: tuple[Any, int] | None = None  # the youngest window that ends before the record
    right: tuple[Any, int] | None = None  # the youngest that contains it and more
    previous: int | None = None  # time of the record before this one
    for start, content in reversed(found):
        end = start + difference
        if start == timestamp + 1:
            continue
        if end > timestamp:
            if right is None:
                right = content
            windows.update(record, start, content)
        elif end == timestamp:
            windows.update(record, start, content)
            if content[1] >= timestamp:
                return  # not the first record at this time: all its windows are there
            previous = content[1]
        else:
            left, previous = content, content[1]
            break
    if previous is not None and previous + 1 not in starts and previous + 1 + difference >= timestamp:
        windows.update(record, previous + 1, windows.empty(timestamp))
    if timestamp - difference not in starts:
        # The record before this one may be in it as well; then it begins with what the window left of it holds.
        if left is not None and left[1] >= timestamp - difference:
            begin = windows.beginning(left[0], timestamp)
        else:
            begin = windows.empty(timestamp)
        windows.update(record, timestamp - difference, begin)
    if timestamp + 1 not in starts and right is not None and right[1] > timestamp:
        windows.create_right(record, right)


def early(windows: _Windows, record: _Record, found: Sequence[tuple[int, tuple[Any, int]]]) -> None:
    """D8: a record before `difference` has no left window of its own, but shares [0, d] with all such records.

    found: the key's windows that start in [0, t + 1], ascending. The shared one is changed last.
    """
    timestamp = record.timestamp
    starts = {start for start, _ in found}
    shared: tuple[Any, int] | None = None
    right: tuple[Any, int] | None = None
    previous: int | None = None
    for start, content in found:
        if start == 0:
            shared = content
            if content[1] < timestamp:
                previous = content[1]
        elif start <= timestamp:
            right = content
            windows.update(record, start, content)
    if right is None and shared is not None and shared[1] > timestamp:
        right = shared
    if timestamp + 1 not in starts and right is not None and right[1] > timestamp:
        windows.create_right(record, right)
    if previous is not None and previous + 1 not in starts:
        windows.update(record, previous + 1, windows.empty(timestamp))
    windows.update(record, 0, windows.empty(timestamp) if shared is None else shared)


def _closed_windows(runtime: Runtime, forward: Forward, store: str, difference: int) -> Callable[[int], None]:
    """emit(close time): the windows that ended before it and were not handed on before (D14)."""
    closing = Closing(runtime, store)
    emit = emit_windows(runtime.ctx, forward, runtime.store(store).fetch_all)

    def emit_closed(close_time: int) -> None:
        if not closing.due(close_time):
            return
        latest = close_time - difference - 1  # the end of a window is inclusive
        if latest < 0:
            return
        emit(0 if closing.last == NEVER else max(0, closing.last - difference), latest)
        closing.done(close_time)

    return emit_closed
