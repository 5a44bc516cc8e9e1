"""From an assignment to running tasks: fence the dead, read what is committed, restore, start (design: take-over).

The order is the proof: only when no dead producer can still commit are the offsets read, only then the ends of the
changelogs, and only then is a store restored up to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from app.kafka.changelogs import ChangelogReader
from app.kafka.fencing import fence
from app.kafka.fetching import resume, seek
from app.kafka.membership import Assigned, Membership
from app.kafka.stable_offsets import stable_offsets
from app.kafka.starting_offsets import starting_offsets
from app.kafka.transport import Transport
from app.state import StateDamaged
from app.streams.model import Offset, TaskId, TopicPartition
from app.streams.topology.nodes import Reset
from app.worker.held import HeldTask, TaskPhase
from app.worker.restoring import Restorer
from app.worker.states import States
from app.worker.tasks import Tasks

log = logging.getLogger(__name__)

SETTLE_WITHIN = 30.0
"""Seconds for one request of a take-over; open transactions of others are waited for meanwhile."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a take-over works with."""

    group: Membership
    transport: Transport
    reader: ChangelogReader
    restorer: Restorer
    states: States
    clock_ms: Callable[[], int]
    reset_rules: Callable[[TopicPartition], Reset | int | None]
    exactly_once: bool
    timeout_ms: int


class Takeover:
    """`keep` at once, `bring` beside the processing of what was kept."""

    def __init__(self, tasks: Tasks, means: Means) -> None:
        self._tasks = tasks
        self._means = means

    def keep(self, assigned: Assigned) -> None:
        """Tasks that run and stay go on where they are; those that moved stop here."""
        active = set(assigned.duties.active)
        for held in list(self._tasks.held.values()):
            if held.phase is TaskPhase.RUNNING:
                if held.id in active and assigned.unbroken and held.sources == assigned.partitions[held.id]:
                    self._resume(held)
                else:
                    self._tasks.rebuild(held)
            if held.id not in active and held.id not in _copies(assigned):
                self._means.restorer.stop(held.id)

    async def bring(self, assigned: Assigned) -> None:
        """Every other task that is ours now, into its phase. May be cancelled and begun again at any time."""
        active, copies = set(assigned.duties.active), _copies(assigned)
        for held in list(self._tasks.held.values()):
            if held.id not in active and held.id not in copies:
                self._tasks.drop(held)
        new = [
            await self._opened(task, TaskPhase.RESTORING, assigned.partitions[task])
            for task in assigned.duties.active
            if not self._tasks.runs(task)
        ]
        if new:
            await self._begin(new, assigned)
        for task, damage in list(self._means.restorer.failed.items()):
            # A copy that could not be followed; an active task would have said so to whoever waits for it.
            del self._means.restorer.failed[task]
            copy = self._tasks.held.get(task)
            if copy is not None and copy.phase is TaskPhase.STANDBY:
                await self._anew(copy, damage)
        for task in copies:
            self._means.restorer.follow(await self._opened(task, TaskPhase.STANDBY, ()))
        # Last of all, for it takes a while and nobody waits for it.
        for task in self._means.states.opened():
            if task not in self._tasks.held:
                await self._means.states.close(task)

    async def reset(self, source: TopicPartition, position: int | None) -> None:
        """The log no longer has the record that is next: go on by the rule of its source."""
        means = self._means
        starts = await starting_offsets(means.group.consumer, {source: means.reset_rules(source)}, means.clock_ms())
        log.warning("%s-%d: offset %s is gone from the log; going on at %d", *source, position, starts[source])
        seek(means.group.consumer, source, starts[source])

    async def _opened(self, task: TaskId, phase: TaskPhase, sources: Iterable[TopicPartition]) -> HeldTask:
        held = self._tasks.held.get(task)
        if held is None:
            held = await self._tasks.open(task, phase, sources)
        held.phase, held.sources = phase, tuple(sources)
        return held

    async def _begin(self, new: list[HeldTask], assigned: Assigned) -> None:
        means = self._means
        if means.exactly_once:
            await asyncio.gather(*(self._fence(dead) for dead in assigned.dead))
            means.group.fenced(assigned.dead)
        sources = [source for held in new for source in held.sources]
        offsets = await self._committed(sources, assigned)
        changelogs = {tp for held in new for tp in held.changelogs.values()} - set(sources)
        ends = await means.reader.ends(changelogs) if changelogs else {}
        for source in sources:
            ends[source] = offsets[source].offset  # a source that is a changelog holds as far as it was processed
        await _all(self._restored(held, ends, offsets) for held in new)

    async def _anew(self, held: HeldTask, damage: Exception) -> HeldTask:
        # The line that counts comes with the state that is moved aside.
        log.debug("task %s: its local state cannot be used and is rebuilt: %s", held.id, damage)
        await self._means.states.condemn(held.id, str(damage))
        await self._tasks.close(held)
        return await self._tasks.open(held.id, held.phase, held.sources)

    async def _fence(self, dead: str) -> None:
        means = self._means
        await fence(means.transport.client, dead, timeout_ms=means.timeout_ms, within=SETTLE_WITHIN)
        log.info("fenced %s, which left without a word", dead)

    async def _committed(self, sources: list[TopicPartition], assigned: Assigned) -> dict[TopicPartition, Offset]:
        means = self._means
        found = await stable_offsets(
            means.transport.client,
            assigned.group.group,
            sources,
            within=SETTLE_WITHIN,
        )
        offsets = {TopicPartition(*where): Offset(at.offset, at.metadata) for where, at in found.items()}
        rules = {source: means.reset_rules(source) for source in sources if source not in offsets}
        if rules:
            starts = await starting_offsets(means.group.consumer, rules, means.clock_ms())
            offsets |= {where: Offset(offset, "") for where, offset in starts.items()}
        return offsets

    async def _restored(
        self, held: HeldTask, ends: Mapping[TopicPartition, int], offsets: Mapping[TopicPartition, Offset]
    ) -> None:
        means = self._means
        targets = {changelog: ends[changelog] for changelog in held.changelogs.values()}
        try:
            await means.restorer.restore(held, targets)
        except StateDamaged as damage:
            held = await self._anew(held, damage)
            await means.restorer.restore(held, targets)
        self._tasks.assign(held, held.sources)
        for source in held.sources:
            held.task.resume_from(source.topic, source.partition, offsets[source])
        self._tasks.start(held, means.clock_ms())
        self._resume(held)

    def _resume(self, held: HeldTask) -> None:
        consumer = self._means.group.consumer
        for source in held.sources:
            position = held.task.queues[source].position
            if position is None:
                raise AssertionError(f"{source} of task {held.id} has no position")
            seek(consumer, source, position)
        resume(consumer, *held.sources)


def _copies(assigned: Assigned) -> set[TaskId]:
    return {*assigned.duties.standby, *assigned.duties.warmups}


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Until all are done; the first that fails ends the others."""
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)  # type: ignore[arg-type]
