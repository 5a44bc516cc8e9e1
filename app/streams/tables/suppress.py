"""Holding back a table's updates (area G; Java: KTableSuppressProcessorSupplier)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.streams.errors import BufferFull
from app.streams.model import Change, Forward
from app.streams.serdes.buffered import Origin
from app.streams.stores.suppress_buffer import SuppressBuffer
from app.streams.tables.views import Getter, View
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Suppress:
    """wait: ms that stream time must pass an update's time before it goes on. final: of each window, the last result.

    max_records, max_bytes: None is no limit; beyond it the oldest updates go early, or the task stops (G6).
    """

    store: str
    wait: int
    final: bool
    max_records: int | None
    max_bytes: int | None
    emit_early: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx = runtime.ctx
        buffer: SuppressBuffer = runtime.store(self.store)
        wait, final, emit_early, node = self.wait, self.final, self.emit_early, runtime.node
        max_records, max_bytes = self.max_records, self.max_bytes
        # The operator's own (A6).
        stream_time = runtime.remembered(f"{runtime.node}-time", lambda: stream_time)

        def emit_first() -> None:
            key, change, origin = buffer.first()
            # G4: of a window no result went out before, so there is nothing to delete.
            if change[0] is not None or not final:
                forward_in(key, change, origin)
            buffer.drop_first()

        def forward_in(key: Any, change: Change, origin: Origin) -> None:
            kept = ctx.timestamp, ctx.headers, ctx.topic, ctx.partition, ctx.offset
            ctx.timestamp, ctx.headers = origin.timestamp, origin.headers  # A12
            ctx.topic, ctx.partition, ctx.offset = origin.topic, origin.partition, origin.offset
            forward(key, change)
            ctx.timestamp, ctx.headers, ctx.topic, ctx.partition, ctx.offset = kept

        def too_full() -> bool:
            return (max_records is not None and len(buffer) > max_records) or (
                max_bytes is not None and buffer.size > max_bytes
            )

        def step(key: Any, change: Change) -> None:
            nonlocal stream_time
            if ctx.timestamp > stream_time:
                stream_time = ctx.timestamp
            # G1, G2: the time of an update is its record's, or the end of its window.
            buffer.put(key.end if final else ctx.timestamp, key, change)
            # G5: ≤, while sliding windows and sessions still accept a record at that very time.
            while len(buffer) and buffer.min_timestamp <= stream_time - wait:
                emit_first()
            while too_full():
                if not emit_early:
                    raise BufferFull(f"{node} holds {len(buffer)} updates in {buffer.size} bytes, more than it may")
                emit_first()

        return step


@dataclass(frozen=True, slots=True)
class SuppressedView:
    """What has gone on of a suppressed table: of an update held back, the value before it."""

    store: str
    parent: View

    @property
    def stores(self) -> tuple[str, ...]:
        return (self.store, *self.parent.stores)

    def open(self, runtime: Runtime) -> Getter:
        buffer: SuppressBuffer = runtime.store(self.store)
        above = self.parent.open(runtime)

        def get(key: Any) -> tuple[Any, int] | None:
            held, prior = buffer.prior_value(key)
            if not held:
                return above(key)
            return None if prior is None else (prior, -1)

        return get
