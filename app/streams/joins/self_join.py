"""A stream joined with itself over one store (F7; KStreamKStreamSelfJoin): the optimization single.store.self.join."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.streams.joins.kept import fetch_of
from app.streams.model import Forward
from app.streams.topology.runtime import Runtime
from app.streams.windows.definitions import JoinWindows


@dataclass(frozen=True, slots=True)
class SelfJoin:
    """Results in the order an inner join of two equal streams has; the record meets itself once, between the others."""

    store: str
    joiner: Callable[[Any, Any, Any], Any]
    windows: JoinWindows

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx, joiner = runtime.ctx, self.joiner
        fetch = fetch_of(runtime.store(self.store))
        before, after = self.windows.before, self.windows.after
        retention = before + after + self.windows.grace
        stream_time = runtime.remembered(f"{runtime.node}-time", lambda: stream_time)

        def hand_on(key: Any, result: Any, timestamp: int) -> None:
            kept = ctx.timestamp
            ctx.timestamp = timestamp
            forward(key, result)
            ctx.timestamp = kept

        def step(key: Any, value: Any) -> None:
            nonlocal stream_time
            if key is None or value is None:
                ctx.dropped()
                return
            timestamp = ctx.timestamp
            stream_time = max(stream_time, timestamp)
            for other_time, other in fetch(key, max(timestamp - before, 0), max(timestamp + after, 0)):
                hand_on(key, joiner(key, value, other), max(timestamp, other_time))
            # A record that came too late to be kept does not meet itself.
            alone = timestamp > stream_time - retention + 1
            for other_time, other in fetch(key, max(timestamp - after, 0), max(timestamp + before, 0)):
                if alone and other_time > timestamp:
                    alone = False
                    hand_on(key, joiner(key, value, value), timestamp)
                hand_on(key, joiner(key, other, value), max(timestamp, other_time))
            if alone:
                hand_on(key, joiner(key, value, value), timestamp)

        return step
