"""The tasks of this process: made over the rows that are committed, dropped when they move or a transaction fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.streams.model import TaskId, TopicPartition
from app.streams.task import Task
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.tasks import restored_stores
from app.streams.topology.topology import Topology
from app.worker.held import HeldTask, TaskPhase
from app.worker.states import States
from app.worker.totals import Totals


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every task is made with."""

    topology: Topology
    states: States
    partitions: Callable[[str], int | None]
    topic_ids: Mapping[str, str]
    global_stores: Mapping[str, Any]


class Tasks:
    """At most one HeldTask a task id. The Task objects come and go; the rows below them stay until `close`."""

    def __init__(self, around: Surroundings, totals: Totals) -> None:
        self._totals = totals
        self._around = around
        self._parts: dict[int, Subtopology] = {part.number: part for part in subtopologies(around.topology)}
        self._opening: dict[TaskId, asyncio.Future[None]] = {}
        self.held: dict[TaskId, HeldTask] = {}
        self.readers: dict[TopicPartition, HeldTask] = {}
        """Which running task reads a partition."""

    def running(self) -> list[HeldTask]:
        """As of now: a take-over may start others while the caller waits."""
        return self.phase(TaskPhase.RUNNING)

    def runs(self, task: TaskId) -> bool:
        held = self.held.get(task)
        return held is not None and held.phase is TaskPhase.RUNNING

    def phase(self, *phases: TaskPhase) -> list[HeldTask]:
        return [held for held in self.held.values() if held.phase in phases]

    async def open(self, task: TaskId, phase: TaskPhase, sources: Iterable[TopicPartition] = ()) -> HeldTask:
        """Its stores, as they were committed; nothing is processed yet. Raises what `States.open` raises."""
        # Whoever stops waiting for a file that is being opened, the next one waits for the same.
        opening = self._opening.get(task)
        if opening is None:
            opening = self._opening[task] = asyncio.ensure_future(self._open(task))
            opening.add_done_callback(lambda _: self._opening.pop(task, None))
        await asyncio.shield(opening)
        held = HeldTask(task, self._made(task), tuple(sources), self._changelogs(task), phase)
        self.held[task] = held
        return held

    async def _open(self, task: TaskId) -> None:
        part = self._parts[task.subtopology]
        ids = {
            store: self._around.topic_ids.get(self._changelog(store), "")
            for store in restored_stores(self._around.topology, part)
        }
        await self._around.states.open(task, part, ids)

    def rebuild(self, held: HeldTask) -> None:
        """What was not committed is forgotten: another Task over the same rows, which runs no longer."""
        self._let_go(held)
        held.task = self._made(held.id)
        if held.phase is TaskPhase.RUNNING:
            held.phase = TaskPhase.RESTORING

    def start(self, held: HeldTask, now: int) -> None:
        held.task.start(now)
        held.phase = TaskPhase.RUNNING
        for source in held.sources:
            self.readers[source] = held

    async def close(self, held: HeldTask) -> None:
        """Its state stays where it is, closed, for the case that the task comes back."""
        self.drop(held)
        await self._around.states.close(held.id)

    def drop(self, held: HeldTask) -> None:
        del self.held[held.id]
        self._let_go(held)

    async def close_all(self) -> None:
        await asyncio.gather(*(self.close(held) for held in list(self.held.values())))

    def assign(self, held: HeldTask, sources: Iterable[TopicPartition]) -> None:
        """The partitions it will read, before `Task.resume_from`."""
        held.sources = tuple(sources)
        held.task.assign(source.topic for source in held.sources)

    def _made(self, task: TaskId) -> Task:
        around = self._around
        return Task(
            around.topology,
            self._parts[task.subtopology],
            task,
            partitions=around.partitions,
            bases=around.states.bases(task),
            global_stores=around.global_stores,
        )

    def _changelog(self, store: str) -> str:
        return self._around.topology.changelog(store)

    def _changelogs(self, task: TaskId) -> dict[str, TopicPartition]:
        part = self._parts[task.subtopology]
        return {
            store: TopicPartition(self._changelog(store), task.partition)
            for store in restored_stores(self._around.topology, part)
        }

    def _let_go(self, held: HeldTask) -> None:
        ctx, totals = held.task.ctx, self._totals
        totals.dropped += ctx.dropped_records
        totals.dead_letters += ctx.dead_letters
        totals.punctuations += ctx.punctuations
        held.task.abandon()
        for source in held.sources:
            if self.readers.get(source) is held:
                del self.readers[source]
