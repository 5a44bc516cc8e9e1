"""Aggregates over sessions (Java: KStreamSessionWindowAggregate)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.model import Change, Forward, Windowed
from app.streams.topology.runtime import Runtime
from app.streams.windows.closing import Closing
from app.streams.windows.definitions import Emit, Sessions
from app.streams.windows.fold import Fold, windowed_key


@dataclass(frozen=True, slots=True)
class SessionAggregate:
    """One row per key and session in a session store. The fold must have a `merge`."""

    store: str
    windows: Sessions
    fold: Fold
    emit: Emit
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        store, ctx, dropped = runtime.store(self.store), runtime.ctx, runtime.ctx.dropped
        key_bytes, find, put, remove = store.key_bytes, store.find_row, store.put_row, store.remove_row
        initial, add, merge = self.fold.initial, self.fold.add, self.fold.merge
        if merge is None:
            raise TypeError(f"sessions in store {self.store} need a merger")
        gap, closes_after = self.windows.gap, self.windows.closes_after
        hand_on = self._updates(runtime, forward)
        emit_closed = _closed_sessions(runtime, forward, self.store) if self.emit is Emit.ON_CLOSE else None
        # The operator's own (A6).
        stream_time = runtime.remembered(f"{runtime.node}-time", lambda: stream_time)

        def step(key: Any, value: Any) -> None:
            nonlocal stream_time
            if key is None:  # a null value is aggregated like any other (C3)
                dropped()
                return
            timestamp = start = end = ctx.timestamp
            if timestamp > stream_time:
                stream_time = timestamp
            close_time = stream_time - closes_after
            row, so_far = key_bytes(key), initial()
            # D4: a gap of just `gap` still merges. D5: in the order of the store.
            merged = find(row, timestamp - gap, timestamp + gap)
            for other_start, other_end, other in merged:
                so_far = merge(key, so_far, other)
                start, end = min(start, other_start), max(end, other_end)
            # D6: the late-record rule. It asks for the merged session: a late record is rescued by joining a live one.
            if end < close_time:
                dropped()
            else:
                # D5: tombstones for the sessions that are merged, before the one that replaces them; also for one
                # with the same bounds, unless these are the record's own.
                if start != timestamp or end != timestamp:
                    for other_start, other_end, other in merged:
                        remove(row, other_start, other_end)
                        hand_on(windowed_key((key, other_start, other_end)), None, other)
                new = add(key, value, so_far)
                put(row, start, end, new)
                hand_on(windowed_key((key, start, end)), new, None)
            if emit_closed is not None:
                emit_closed(close_time)

        return step

    def _updates(self, runtime: Runtime, forward: Forward) -> Callable[[Windowed[Any], Any, Any], None]:
        """hand_on(session, new, old): with the session's end as time (A9) and without headers (A12)."""
        store, ctx, send_old = runtime.store(self.store), runtime.ctx, self.send_old
        if self.emit is Emit.ON_CLOSE:
            return lambda _window, _new, _old: None
        if store.caches:
            store.on_flush(_at_end(runtime, forward), send_old)
            return lambda _window, _new, _old: None

        def hand_on(window: Windowed[Any], new: Any, old: Any) -> None:
            timestamp, headers = ctx.timestamp, ctx.headers
            ctx.timestamp, ctx.headers = window[2], ()
            forward(window, (new, old if send_old else None, True))
            ctx.timestamp, ctx.headers = timestamp, headers

        return hand_on


def _at_end(runtime: Runtime, forward: Forward) -> Forward:
    """What a record cache hands on: at the session's end, with the headers of its last update (K4)."""
    ctx = runtime.ctx

    def listener(window: Windowed[Any], change: Change) -> None:
        kept = ctx.timestamp
        ctx.timestamp = window[2]
        forward(window, change)
        ctx.timestamp = kept

    return listener


def _closed_sessions(runtime: Runtime, forward: Forward, store: str) -> Callable[[int], None]:
    """emit(close time): the sessions that ended before it and were not handed on before (D14)."""
    closing = Closing(runtime, store)
    by_end, ctx = runtime.store(store).find_sessions_by_end, runtime.ctx

    def emit_closed(close_time: int) -> None:
        if not closing.due(close_time):
            return
        latest = close_time - 1  # the end of a session is inclusive
        earliest = max(0, closing.last)
        if latest < 0 or latest < earliest:
            return
        kept = ctx.timestamp
        for window, value in by_end(earliest, latest):
            ctx.timestamp = window.end
            forward(window, (value, None, True))
        ctx.timestamp = kept
        closing.done(close_time)

    return emit_closed
