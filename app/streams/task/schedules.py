"""The punctuators of one task on both clocks, and how one of them is run."""

from __future__ import annotations

from collections.abc import Callable

from app.streams.context import Context
from app.streams.errors import RecordError
from app.streams.task.failures import Failures
from app.streams.task.punctuation import Punctuator, Punctuators, next_slot
from app.streams.topology.runtime import Clock


class Schedules:
    """stream: by the task's stream time. wall: by the time it is told. resumed: schedules that are added go on with the
    grid of an earlier life, of which all slots up to the stream time were called."""

    __slots__ = ("_ctx", "_failures", "resumed", "stream", "wall")

    def __init__(self, ctx: Context, failures: Failures) -> None:
        self._ctx = ctx
        self._failures = failures
        self.stream = Punctuators()
        self.wall = Punctuators()
        self.resumed = False

    def add(
        self, node: str, clock: Clock, start: int | None, interval: int, punctuate: Callable[[int], None]
    ) -> Punctuator:
        punctuator = Punctuator(node, interval, punctuate)
        is_stream = clock is Clock.STREAM_TIME
        now = self._ctx.stream_time if is_stream else self._ctx.now
        if start is None and is_stream and self.resumed:
            start = next_slot(0, interval, now)
        elif start is None:
            # The grid of stream time begins at 0, so the first record fires it (H7); a clock first lets time pass (H8).
            start = 0 if is_stream else now + interval
        elif start < now:
            start = next_slot(start, interval, now)
        (self.stream if is_stream else self.wall).add(start, punctuator)
        return punctuator

    def fire(self, clock: Punctuators, now: int) -> bool:
        """Run what is due; whether anything was."""
        return now >= 0 and clock.fire(now, self._punctuate)

    def _punctuate(self, punctuator: Punctuator, time: int) -> None:
        ctx = self._ctx
        ctx.topic, ctx.partition, ctx.offset = None, -1, -1
        ctx.timestamp, ctx.headers = time, ()
        ctx.raw_key = ctx.raw_value = None
        ctx.punctuations += 1
        try:
            punctuator.punctuate(time)
        except RecordError:
            raise
        except Exception as cause:  # noqa: BLE001  # user code; the handler judges
            self._failures.unprocessable(punctuator.node, cause)
