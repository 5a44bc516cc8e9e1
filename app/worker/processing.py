"""Records into tasks and rows out of them, in slices short enough for the heartbeats that share the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from app.kafka.fetching import Fetched
from app.kafka.writing import RowWriter
from app.streams.model import TaskId, TopicPartition
from app.worker.held import HeldTask
from app.worker.tasks import Tasks
from app.worker.totals import Totals

SLICE_S = 0.003
"""How long one task may hold the loop."""
FIRST_LIMIT, LARGEST_LIMIT = 100, 5_000
"""Records a slice: the first guess, and the bound that keeps the next guess from running away."""
BUFFERED_ROWS = 5_000
"""A partition with so many records waiting is not asked for more (buffered.records.per.partition)."""

Bounds = Callable[[TopicPartition], tuple[int | None, int | None]]
"""Of a source: the offset of the next record to come, and the end of the log; None: no fetch has told yet."""


class Processing:
    """Round robin over the running tasks; a task with nothing to do costs a look."""

    def __init__(self, tasks: Tasks, writer: RowWriter, totals: Totals, clock_ms: Callable[[], int], bounds: Bounds):
        self._tasks = tasks
        self._writer = writer
        self._totals = totals
        self._clock_ms = clock_ms
        self._bounds = bounds
        self._limits: dict[TaskId, int] = {}

    def wanted(self) -> list[TopicPartition]:
        """Partitions with room: back-pressure is not to ask."""
        return [
            source for source, held in self._tasks.readers.items() if len(held.task.queues[source].rows) < BUFFERED_ROWS
        ]

    def feed(self, fetched: Iterable[Fetched]) -> None:
        for partition, rows, position, end in fetched:
            held = self._tasks.readers.get(partition)
            if held is None:
                continue  # it moved while the fetch was under way
            if rows:
                held.task.enqueue(partition.topic, partition.partition, rows)
            held.task.note_fetch(partition.topic, partition.partition, position, end)

    def wake_at(self) -> int:
        """When a punctuator or an idle rule is due next, in ms of the wall clock."""
        return min((held.task.wake_at() for held in self._tasks.running()), default=2**62)

    async def turn(self) -> int:
        """A slice for each task that has something to do; how many records were taken. Raises RecordError."""
        taken = 0
        for held in self._tasks.running():
            if has_rows(held) or self._clock_ms() >= held.task.wake_at():
                done = self._slice(held)
                if not done and len(held.sources) > 1:
                    self._look_at_ends(held)
                    done = self._slice(held)
                taken += done
                await asyncio.sleep(0)
        self._totals.processed += taken
        return taken

    def _look_at_ends(self, held: HeldTask) -> None:
        """A task that waits for an empty partition has to know whether there is anything to come (max.task.idle.ms): a
        fetch that brings nothing tells nothing."""
        for source in held.sources:
            if not len(held.task.queues[source]):
                at, end = self._bounds(source)
                if at is not None and end is not None:
                    held.task.note_fetch(source.topic, source.partition, at, end)

    def _slice(self, held: HeldTask) -> int:
        task = held.task
        limit = self._limits.get(held.id, FIRST_LIMIT)
        before, began = task.processed, time.perf_counter()
        rows = task.process(self._clock_ms(), limit)
        if rows:
            self._writer.write(rows)
            self._totals.produced += len(rows)
        taken, took = task.processed - before, time.perf_counter() - began
        if taken == limit or took > SLICE_S:
            fitting = int(taken * SLICE_S / max(took, 1e-6))
            self._limits[held.id] = max(1, min(fitting, 2 * limit, LARGEST_LIMIT))
        return taken


def has_rows(held: HeldTask) -> bool:
    return any(queue.rows or queue.head is not None for queue in held.task.queues.values())
