"""Aggregates over windows that lie on a grid: tumbling, hopping, unlimited (Java: KStreamWindowAggregate)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.model import Forward
from app.streams.topology.runtime import Runtime
from app.streams.windows.closing import NEVER, Closing, emit_windows
from app.streams.windows.definitions import LARGEST_LONG, Emit, Hopping, Tumbling, Unlimited
from app.streams.windows.fold import Fold, windowed_key

# Updates one window of a key: (key, its bytes, value, start, end).
Update = Callable[[Any, bytes, Any, int, int], None]


@dataclass(frozen=True, slots=True)
class AlignedAggregate:
    """One row per key and window in a timestamped window store."""

    store: str
    windows: Tumbling | Hopping | Unlimited
    fold: Fold
    emit: Emit
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        if isinstance(self.windows, Unlimited):
            return self._unlimited(runtime, forward, self.windows.start)
        return self._on_grid(runtime, forward, self.windows)

    def _on_grid(self, runtime: Runtime, forward: Forward, windows: Tumbling | Hopping) -> Forward:
        ctx, dropped = runtime.ctx, runtime.ctx.dropped
        size, advance, grace = windows.size, windows.advance, windows.grace
        back = size - advance
        update = self._update(runtime, forward)
        key_bytes = runtime.store(self.store).key_bytes
        emit_closed = _closed_windows(runtime, forward, self.store, windows) if self.emit is Emit.ON_CLOSE else None
        # The operator's own (A6).
        stream_time = runtime.remembered(f"{runtime.node}-time", lambda: stream_time)

        def step(key: Any, value: Any) -> None:
            nonlocal stream_time
            if key is None:  # a null value is counted like any other (C3)
                dropped()
                return
            timestamp = ctx.timestamp
            if timestamp > stream_time:
                stream_time = timestamp
            close_time = stream_time - grace
            # D1: aligned to the epoch, no window starts before it; in ascending order.
            start = timestamp - timestamp % advance if back == 0 else max(0, timestamp - back) // advance * advance
            row = key_bytes(key)
            while start <= timestamp:
                # D2: the late-record rule. Each window for itself: a record may miss some and still enter others.
                if start + size > close_time:
                    update(key, row, value, start, start + size)
                else:
                    dropped()
                start += advance
            if emit_closed is not None:
                emit_closed(close_time)

        return step

    def _unlimited(self, runtime: Runtime, forward: Forward, start: int) -> Forward:
        """D11: nothing is ever late; a record before the start belongs nowhere, which is not counted as dropped."""
        ctx, dropped = runtime.ctx, runtime.ctx.dropped
        update = self._update(runtime, forward)
        key_bytes = runtime.store(self.store).key_bytes

        def step(key: Any, value: Any) -> None:
            if key is None:
                dropped()
            elif ctx.timestamp >= start:
                update(key, key_bytes(key), value, start, LARGEST_LONG)

        return step

    def _update(self, runtime: Runtime, forward: Forward) -> Update:
        """Fold a record into one window, keep the result, and hand it on if updates are wanted (D13)."""
        store, ctx = runtime.store(self.store), runtime.ctx
        get_row, put_row, initial, add = store.get_row, store.put_row, self.fold.initial, self.fold.add
        send_old, silent = self.send_old, store.caches or self.emit is Emit.ON_CLOSE
        if store.caches and self.emit is Emit.ON_UPDATE:
            store.on_flush(forward, send_old)

        def update(key: Any, row: bytes, value: Any, start: int, end: int) -> None:
            found = get_row(row, start)
            timestamp = ctx.timestamp
            if found is None:
                old = initial()
            else:
                old, latest = found
                if latest > timestamp:  # A9
                    timestamp = latest
            new = add(key, value, old)
            put_row(row, new, start, timestamp)
            if silent:
                return
            kept = ctx.timestamp
            ctx.timestamp = timestamp
            # The old value of a new window is the initializer's result, not None (C10).
            forward(windowed_key((key, start, end)), (new, old if send_old else None, True))
            ctx.timestamp = kept

        return update


def _closed_windows(
    runtime: Runtime, forward: Forward, store: str, windows: Tumbling | Hopping
) -> Callable[[int], None]:
    """emit(close time): the windows that ended by then and were not handed on before (D14)."""
    closing = Closing(runtime, store)
    emit = emit_windows(runtime.ctx, forward, runtime.store(store).fetch_all)
    size, advance = windows.size, windows.advance

    def windows_of(timestamp: int) -> tuple[int, int]:
        """First and last start of the windows that a time falls into."""
        return max(0, timestamp - size + advance) // advance, timestamp // advance

    def emit_closed(close_time: int) -> None:
        if not closing.due(close_time):
            return
        latest = close_time - size  # the end of a window is exclusive
        if latest < 0:
            return
        earliest = 0
        if closing.last != NEVER:
            earliest = max(0, closing.last - size) + 1
            if windows_of(latest) == windows_of(earliest - 1):
                return  # not one window closed since
        emit(earliest, latest)
        closing.done(close_time)

    return emit_closed
