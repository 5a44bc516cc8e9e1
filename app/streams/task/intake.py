"""Which record is next, and what happens to it first (reference §3)."""

from __future__ import annotations

from operator import attrgetter

from app.streams.context import Context
from app.streams.task.failures import Failures
from app.streams.task.idling import may_process
from app.streams.task.queue import PartitionQueue
from app.streams.task.schedules import Schedules

MOST_OUTPUTS = 5_000
"""Rows after which no further record is taken: each record of a join may make thousands, and the caller, who has a
clock, is to say whether there is time for another."""


class Intake:
    """The partitions of one task. moved: whether any has been read since somebody set it to False."""

    __slots__ = ("_ctx", "_failures", "_max_idle", "_schedules", "moved", "queues")

    def __init__(self, ctx: Context, schedules: Schedules, failures: Failures, max_idle: int) -> None:
        self._ctx = ctx
        self._schedules = schedules
        self._failures = failures
        self._max_idle = max_idle
        self.queues: list[PartitionQueue] = []
        self.moved = False

    def take(self, now: int, limit: int) -> int:
        """Records by time over the partitions (reference §3), as long as the idle rules let the task go on."""
        left = limit
        ctx = self._ctx
        while left > 0 and len(ctx.outputs) < MOST_OUTPUTS:
            waiting = [queue for queue in self.queues if queue.rows or queue.head is not None]
            if not waiting or not may_process(self.queues, self._max_idle, now):
                break
            if len(waiting) == 1 and not waiting[0].shared:
                left -= self._take_all(waiting[0], left)
            else:
                ready = [queue for queue in waiting if queue.advance(ctx)]
                self.moved = True
                left -= self._take_smallest(ready, left)
        return limit - left

    def _take_smallest(self, ready: list[PartitionQueue], limit: int) -> int:
        """Until one of the partitions runs empty: then the idle rules are asked again."""
        taken = 0
        ctx = self._ctx
        while ready and taken < limit and len(ctx.outputs) < MOST_OUTPUTS:
            # A task has one partition per topic it reads: few enough that looking at each head beats a heap.
            queue = min(ready, key=_head_time)
            self._take_head(queue)
            taken += 1
            if not queue.advance(ctx):
                break
        return taken

    def _take_head(self, queue: PartitionQueue) -> None:
        head = queue.head
        if head is None:
            raise AssertionError(f"{queue.topic} has no head")
        queue.head = None
        ctx = self._ctx
        timestamp = head.timestamp
        if timestamp > queue.time:
            queue.time = timestamp
            if timestamp > ctx.stream_time:
                ctx.stream_time = timestamp
        ctx.topic, ctx.partition, ctx.offset = head.topic, queue.partition, head.offset
        ctx.timestamp, ctx.headers = timestamp, head.headers
        ctx.raw_key, ctx.raw_value = head.raw_key, head.raw_value
        queue.step(head.key, head.value)
        if ctx.stream_time >= self._schedules.stream.due:
            self._schedules.fire(self._schedules.stream, ctx.stream_time)

    def _take_all(self, queue: PartitionQueue, limit: int) -> int:
        """The only partition that waits: no head to compare with, so each record is decoded, taken and done."""
        ctx, rows, step, failures, clock = self._ctx, queue.rows, queue.step, self._failures, self._schedules.stream
        decode_key, decode_value, extractor = queue.decode_key, queue.decode_value, queue.extractor
        self.moved = True
        if queue.head is not None:
            self._take_head(queue)
            return 1
        ctx.topic, ctx.partition = queue.topic, queue.partition
        stop = min(limit, len(rows))
        take, outputs = rows.popleft, ctx.outputs
        for taken in range(1, stop + 1):
            offset, timestamp, raw_key, raw_value, headers = inbound = take()
            try:
                key = None if raw_key is None else decode_key(raw_key)
                value = None if raw_value is None else decode_value(raw_value)
            except Exception as cause:  # noqa: BLE001  # any serde; the handler judges
                failures.undecodable(queue.topic, queue, inbound, cause)
                continue
            if extractor is not None or timestamp < 0:
                timestamp = queue.timestamp_of(queue.topic, inbound, key, value)
                if timestamp < 0:
                    ctx.dropped()
                    continue
            if timestamp > queue.time:
                queue.time = timestamp
                if timestamp > ctx.stream_time:
                    ctx.stream_time = timestamp
            ctx.timestamp = timestamp
            ctx.offset = offset
            ctx.headers = headers
            ctx.raw_key = raw_key
            ctx.raw_value = raw_value
            step(key, value)
            if ctx.stream_time >= clock.due:
                self._schedules.fire(clock, ctx.stream_time)
                ctx.topic, ctx.partition = queue.topic, queue.partition
            if len(outputs) >= MOST_OUTPUTS:
                return taken
        return stop


_head_time = attrgetter("head.timestamp")
