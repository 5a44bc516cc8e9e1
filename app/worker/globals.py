"""Global tables: every instance holds all rows of a topic, for its tasks to look up (H15; Java: GlobalStreamThread).

They are kept in memory and read from the beginning at each start; tasks only run once they are complete.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from app.errors import BrokerUnavailable
from app.kafka.changelogs import ChangelogReader, changelog_reader
from app.kafka.fetching import Fetched
from app.log import get_logger
from app.streams.model import TaskId, TopicPartition
from app.streams.stores import memory_base
from app.streams.task import Task
from app.streams.topology.plan import source_topics
from app.streams.topology.subtopologies import whole
from app.streams.topology.topology import Topology

log = get_logger(__name__)

GLOBAL: Final = TaskId(-1, 0)
READ_MS: Final = 200
REPORT_S: Final = 10.0
ROWS_AT_ONCE: Final = 500
"""Records between two turns of the event loop: some ms of the processors that fill the tables."""

Progress = Callable[[int, int], None]
"""Records read, records to go."""


@dataclass(frozen=True, slots=True)
class GlobalStatistics:
    """remaining: records to go until the tables are complete for the first time; then how far they are behind."""

    rows: int
    remaining: int
    complete: bool


class GlobalTables:
    """Open as long as tasks use the stores: `load`, then `run` beside them. options: those all clients share.
    partitions: how many a topic has. Without global tables nothing is read, and no connection made."""

    def __init__(
        self,
        topology: Topology,
        options: Mapping[str, Any],
        partitions: Callable[[str], int | None],
        *,
        exactly_once: bool,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._options = dict(options)
        self._exactly_once = exactly_once
        self._partitions = partitions
        self._clock_ms = clock_ms
        self._task = _task(topology, partitions)
        self._open = AsyncExitStack()
        self._reader: ChangelogReader | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._missing: dict[TopicPartition, int] = {}
        self._rows = 0
        self._unread = 0
        self.complete = self._task is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._open.aclose()
        if self._task is not None:
            self._task.close()

    @property
    def stores(self) -> Mapping[str, Any]:
        """What `Task` takes as `global_stores`."""
        return {} if self._task is None else self._task.stores

    async def load(self, progress: Progress | None = None) -> Mapping[str, Any]:
        """Everything that was committed when it was called: the stores. Raises ServiceError, KafkaError,
        RecordError."""
        if self._task is None:
            return {}
        self._reader = await self._open.enter_async_context(
            changelog_reader(self._options, committed=self._exactly_once)
        )
        await self._load(self._task, self._reader, progress)
        return self._task.stores

    async def run(self) -> None:
        """Keep them up to date, until cancelled. Raises ServiceError, RecordError."""
        while self._task is not None and self._reader is not None:
            await self._read(self._task, self._reader)

    def statistics(self) -> GlobalStatistics:
        reader = self._reader
        ends = {} if reader is None else {where: reader.end(where) or 0 for where in self._positions}
        behind = sum(max(0, ends.get(where, 0) - at) for where, at in self._positions.items())
        return GlobalStatistics(self._rows, behind if self.complete else self._remaining(), self.complete)

    async def _load(self, task: Task, reader: ChangelogReader, progress: Progress | None) -> None:
        began = reported = time.monotonic()
        topics = sorted({where.topic for where in task.queues})
        log.info("loading global tables", topics=", ".join(topics))
        self._missing = await reader.ends(self._logs(topics), committed=True)
        begins = await reader.begins(self._missing)
        for partition, end in list(self._missing.items()):
            reader.follow(partition, None)
            if begins.get(partition, 0) >= end:
                del self._missing[partition]
        while self._missing:
            await self._read(task, reader)
            if progress is not None:
                progress(self._rows, self._remaining())
            if time.monotonic() - reported > REPORT_S:
                reported = time.monotonic()
                log.info("loading global tables", rows=self._rows, remaining=self._remaining())
        self.complete = True
        seconds = max(time.monotonic() - began, 1e-9)
        log.info(
            "global tables are loaded",
            topics=", ".join(topics),
            rows=self._rows,
            seconds=round(seconds, 1),
            rows_per_s=round(self._rows / seconds),
        )

    async def _read(self, task: Task, reader: ChangelogReader) -> None:
        for fetched in await reader.read(READ_MS):
            await self._take(task, fetched)
        for lost in reader.take_lost():
            # What the tables hold of it may be more than there is now, and nobody says which rows.
            raise BrokerUnavailable(f"a global table cannot be kept up to date: {lost}", try_next="it is read anew")

    async def _take(self, task: Task, fetched: Fetched) -> None:
        topic, number = fetched.partition
        # One queue takes all partitions in turn, so that every store has one task that writes to it.
        queue = task.queues[TopicPartition(topic, GLOBAL.partition)]
        for at in range(0, len(fetched.rows), ROWS_AT_ONCE):
            queue.partition = number
            task.enqueue(topic, GLOBAL.partition, fetched.rows[at : at + ROWS_AT_ONCE])
            while len(queue):
                self._leave_out(topic, len(task.process(self._clock_ms(), ROWS_AT_ONCE)))
            commit = task.commit()
            task.applied(commit)
            await asyncio.sleep(0)
        self._rows += len(fetched.rows)
        self._positions[fetched.partition] = fetched.position
        if fetched.position >= self._missing.get(fetched.partition, 0):
            self._missing.pop(fetched.partition, None)

    def _leave_out(self, topic: str, rows: int) -> None:
        """Dead letters of a record that cannot be read: every instance would write one, outside of any transaction."""
        if rows and not self._unread:
            log.warning("records of a global table cannot be read and are left out", topic=topic)
        self._unread += rows

    def _remaining(self) -> int:
        return sum(end - self._positions.get(where, 0) for where, end in self._missing.items())

    def _logs(self, topics: list[str]) -> list[TopicPartition]:
        found = []
        for topic in topics:
            count = self._partitions(topic)
            if count is None:
                raise BrokerUnavailable(f"there is no topic {topic}, which a global table is made of")
            found += [TopicPartition(topic, number) for number in range(count)]
        return found


def _task(topology: Topology, partitions: Callable[[str], int | None]) -> Task | None:
    """All global tables as one task; None where there are none. It never waits for one of its topics."""
    part = whole(topology, global_part=True)
    if not part.nodes:
        return None
    eager = copy(topology)
    eager.config = replace(topology.config, max_task_idle=-1)
    task = Task(eager, part, GLOBAL, partitions=partitions, bases=memory_base)
    task.assign(source_topics(topology, part, {}))
    task.start(0)
    return task
