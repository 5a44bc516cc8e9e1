"""Where the committed rows of tasks live: on disk in this process's slot, or in memory (Java: StateDirectory).

A task's state outlives the Task objects made over it, and the task's stay here: it waits, closed, for the task to come
back, and is removed when it has not for a while. Files are opened, checked and closed in a thread.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Self

from app.log import get_logger
from app.state import BaseStatistics, Expected, Slot, StateUnwritable, TaskState, open_task_state
from app.streams.model import TaskId, TopicPartition
from app.streams.stores import memory_base
from app.streams.stores.base import Base
from app.streams.stores.memory import MemoryBase
from app.streams.stores.specs import StoreSpec
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology
from app.threads import abandonable
from app.worker.layout import layout_digest

log = get_logger(__name__)

CLEANUP_DELAY_S: Final = 600.0
"""state.cleanup.delay.ms"""
CLOSE_WITHIN: Final = 5.0
DELETE_RETENTION_MS: Final = 86_400_000
"""delete.retention.ms of a topic that does not say otherwise."""
_REMOVED: Final = ".removed"

Ends = Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""Of changelogs, open transactions included."""


@dataclass(frozen=True, slots=True)
class StateStatistics:
    """bytes: of the file, 0 in memory. stores: of those on disk."""

    task: TaskId
    bytes: int
    stores: Mapping[str, BaseStatistics]


@dataclass(slots=True, eq=False)
class Opened:
    """The committed rows of one task; its stores can be asked for again and again. missing: changelog records that it
    lacks, as its last restore said; None: there was none."""

    task: TaskId
    expected: Expected
    disk: TaskState | None
    condemned: bool = False
    missing: int | None = None
    memory: dict[str, MemoryBase] = field(default_factory=dict)

    def base(self, spec: StoreSpec) -> Base:
        """What `Task` takes as `bases`. A store that is asked to be in memory is, wherever the others are."""
        if self.disk is not None and spec.persistent:
            return self.disk.base(spec)
        found = self.memory.get(spec.name)
        if found is None:
            found = self.memory[spec.name] = memory_base(spec)
        return found

    def positions(self, stores: Mapping[str, StoreSpec]) -> dict[str, int | None]:
        return {name: self.base(stores[name]).marks().position for name in self.expected.changelogs}


@dataclass(slots=True, eq=False)
class _Left:
    """State of a task that is not ours now. kept: as it was opened, in memory or since the start; None: closed, on
    disk. since: by the monotonic clock. lag: None if nothing of use is there."""

    since: float
    positions: Mapping[str, int | None]
    lag: int | None = None
    kept: Opened | None = None


class States:
    """slot: None keeps everything in memory. clock_ms: wall clock, since the epoch."""

    def __init__(
        self,
        topology: Topology,
        slot: Slot | None,
        *,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
        cleanup_delay_s: float = CLEANUP_DELAY_S,
    ) -> None:
        self._topology = topology
        self._slot = slot
        self._clock_ms = clock_ms
        self._monotonic = monotonic
        self._delay_s = cleanup_delay_s
        self._parts = {part.number: part for part in subtopologies(topology)}
        self._open: dict[TaskId, Opened] = {}
        self._left: dict[TaskId, _Left] = {}
        self._locks: dict[TaskId, asyncio.Lock] = {}

    # opening

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close_all()

    async def awaken(self, topic_ids: Mapping[str, str], ends: Ends) -> None:
        """Before the group is joined: open what an earlier life left in the slot, so that `open` finds it ready, and
        learn how far it is behind, for `left`. topic_ids: by topic. What cannot be trusted is moved aside here. Raises
        StateRefused, StateUnwritable, and what `ends` raises."""
        if self._slot is not None:
            await asyncio.to_thread(_sweep, self._slot.path)
            for task in filter(None, map(_task_id, self._slot.tasks())):
                if task in self._open or task in self._left:
                    continue
                part = self._parts.get(task.subtopology)
                if part is None:
                    # The topology has it no more: it is removed when the delay is over, as in Java.
                    self._left[task] = _Left(self._monotonic(), {})
                    continue
                ids = {store: topic_ids.get(self._topology.changelog(store), "") for store in self._logged(part)}
                opened = await self.open(task, part, ids)
                del self._open[task]
                self._leave(opened, kept=True)
        await self._measure(ends)

    async def open(self, task: TaskId, part: Subtopology, topic_ids: Mapping[str, str]) -> Opened:
        """Its state as it was committed last; empty if there is none that can be trusted. topic_ids: of the changelog,
        by store; "" where it is not known. Raises StateRefused and StateUnwritable."""
        expected = self._expected(task, part, topic_ids)
        async with self._lock(task):
            left = self._left.pop(task, None)
            # It may be open still, if whoever was to close it was interrupted.
            opened = self._open.pop(task, None) or (None if left is None else left.kept)
            if opened is not None and (opened.condemned or opened.expected != expected):
                if opened.disk is not None:
                    opened.disk.abandon()
                opened = None
            if opened is None:
                opened = Opened(task, expected, await self._from_disk(expected))
            self._open[task] = opened
            return opened

    def bases(self, task: TaskId) -> Callable[[StoreSpec], Base]:
        """Of a task whose state is open."""
        return self._open[task].base

    # restoring

    def gather(self, task: TaskId) -> None:
        """What is applied to its stores from now on is committed together, with `settle`."""
        opened = self._open.get(task)
        if opened is not None and opened.disk is not None:
            opened.disk.gather()

    def settle(self, task: TaskId) -> None:
        """Raises StateUnwritable: then nothing of it is there."""
        opened = self._open.get(task)
        if opened is not None and opened.disk is not None:
            opened.disk.settle()

    def misses(self, task: TaskId, records: int | None) -> None:
        """Its restore has ended, or was stopped."""
        opened = self._open.get(task)
        if opened is not None:
            opened.missing = records

    # closing

    async def close(self, task: TaskId, within: float = CLOSE_WITHIN) -> None:
        """Its state waits for the task to come back. On disk it is synced first; if that takes longer than `within`
        seconds it is left as a kill would leave it."""
        opened = self._open.pop(task, None)
        if opened is None:
            return
        if opened.condemned:
            if opened.disk is not None:
                opened.disk.abandon()
            return
        self._leave(opened, kept=opened.disk is None)
        if opened.disk is not None:
            await self._close(task, opened.disk, within)

    async def close_all(self, within: float = CLOSE_WITHIN) -> None:
        """One after the other, all of them in so many seconds."""
        until = self._monotonic() + within
        for task in sorted(self._open):
            await self.close(task, max(0.0, until - self._monotonic()))
        for task, left in sorted(self._left.items()):
            kept, left.kept = left.kept, None
            if kept is not None and kept.disk is not None:
                await self._close(task, kept.disk, max(0.0, until - self._monotonic()))

    async def condemn(self, task: TaskId, why: str) -> None:
        """Of a task whose state is open. It must not be used again: it is opened empty next time, even if this process
        is killed first."""
        opened = self._open[task]
        opened.condemned = True
        if opened.disk is not None:
            await self._alone(task, partial(opened.disk.condemn, why))

    def condemned(self, task: TaskId) -> bool:
        opened = self._open.get(task)
        return opened is not None and opened.condemned

    # what lies here

    def opened(self) -> list[TaskId]:
        return list(self._open)

    def left(self) -> dict[TaskId, int]:
        """Tasks whose state lies here though they are not ours now, and how many changelog records it misses: as
        `awaken` found it, or as it was when the task was closed."""
        return {task: left.lag for task, left in sorted(self._left.items()) if left.lag is not None}

    def positions(self, task: TaskId) -> dict[str, int | None]:
        """By store with a changelog: the offset up to which its rows are here, None: nothing."""
        opened = self._open.get(task)
        if opened is not None:
            return opened.positions(self._topology.stores)
        left = self._left.get(task)
        return {} if left is None else dict(left.positions)

    async def clean(self, assigned: Collection[TaskId]) -> list[TaskId]:
        """Remove what has waited longer than the delay for a task that is not `assigned` to this process in any role.
        Raises nothing but what a caller did wrong: what cannot be removed is tried again."""
        now = self._monotonic()
        gone = []
        for task, left in list(self._left.items()):
            if task in assigned or now - left.since < self._delay_s:
                continue
            async with self._lock(task):
                if self._left.get(task) is not left:
                    continue
                if left.kept is not None and left.kept.disk is not None:
                    left.kept.disk.abandon()
                    left.kept = None
                if self._slot is not None:
                    try:
                        await asyncio.to_thread(_remove, self._slot.path / str(task))
                    except OSError as error:
                        log.warning("local state cannot be removed", task=str(task), why=str(error))
                        continue
                del self._left[task]
                gone.append(task)
        if gone:
            log.info("removed the local state of tasks that moved away", tasks=", ".join(map(str, gone)))
        return gone

    def statistics(self) -> tuple[StateStatistics, ...]:
        """Of those that are open."""
        return tuple(
            StateStatistics(
                task,
                0 if opened.disk is None else opened.disk.used_bytes(),
                {} if opened.disk is None else opened.disk.statistics(),
            )
            for task, opened in self._open.items()
        )

    def _leave(self, opened: Opened, *, kept: bool) -> None:
        stores = self._topology.stores
        positions = opened.positions(stores)
        lag = opened.missing
        if lag is None and positions and None not in positions.values():
            lag = 0
        if not kept and not all(stores[name].persistent for name in positions):
            # What it has in memory goes.
            positions = {name: at if stores[name].persistent else None for name, at in positions.items()}
            lag = None
        self._left[opened.task] = _Left(
            self._monotonic(), positions, lag if positions else None, opened if kept else None
        )

    async def _measure(self, ends: Ends) -> None:
        """Java adds up offsets likewise (SubscriptionInfo)."""
        positions = {
            (task, TopicPartition(self._topology.changelog(store), task.partition)): position or 0
            for task, left in self._left.items()
            for store, position in left.positions.items()
            if any(at is not None for at in left.positions.values())
        }
        if not positions:
            return
        known = await ends({partition for _, partition in positions})
        lags: dict[TaskId, int] = {}
        for (task, partition), position in positions.items():
            lags[task] = lags.get(task, 0) + max(0, known.get(partition, position) - position)
        for task, lag in lags.items():
            if task in self._left:
                self._left[task].lag = lag

    async def _close(self, task: TaskId, disk: TaskState, within: float) -> None:
        try:
            await self._alone(task, disk.close, within)
        except TimeoutError:
            log.warning("local state could not be closed in time", task=str(task), seconds=within)
        except (StateUnwritable, OSError) as error:
            # As after a kill: it is checked when it is opened.
            log.warning("local state could not be closed", task=str(task), why=str(error))

    async def _alone(self, task: TaskId, work: Callable[[], None], within: float | None = None) -> None:
        """In a thread. The lock is held until that is done with the files, whoever stops waiting for it."""
        lock = self._lock(task)
        await lock.acquire()
        working = asyncio.ensure_future(abandonable(work))
        working.add_done_callback(lambda _: lock.release())
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(working)
        except (TimeoutError, asyncio.CancelledError):
            working.add_done_callback(partial(_look_at, task))
            raise

    async def _from_disk(self, expected: Expected) -> TaskState | None:
        if self._slot is None:
            return None
        slot = self._slot.path
        return await asyncio.to_thread(open_task_state, slot, expected, self._clock_ms)

    def _expected(self, task: TaskId, part: Subtopology, topic_ids: Mapping[str, str]) -> Expected:
        topology = self._topology
        stores = [name for name in part.stores(topology) if name in topology.stores]
        logged = self._logged(part)
        return Expected(
            topology.config.application_id,
            str(task),
            layout_digest(topology, stores),
            stores,
            {name: topic_ids.get(name, "") for name in logged},
            self._delete_retention(logged),
        )

    def _logged(self, part: Subtopology) -> list[str]:
        """Stores that a changelog can bring back."""
        topology = self._topology
        return [
            name
            for name in part.stores(topology)
            if name in topology.stores and (topology.stores[name].logging or name in topology.restored_from)
        ]

    def _delete_retention(self, logged: Collection[str]) -> int | None:
        """The least of its changelogs."""
        topology = self._topology
        configs = [
            {**topology.config.topic_config, **topology.stores[name].log_config}
            for name in logged
            if name not in topology.restored_from
        ]
        configs += [{} for name in logged if name in topology.restored_from]
        return min((int(each.get("delete.retention.ms", DELETE_RETENTION_MS)) for each in configs), default=None)

    def _lock(self, task: TaskId) -> asyncio.Lock:
        return self._locks.setdefault(task, asyncio.Lock())


def _task_id(name: str) -> TaskId | None:
    subtopology, _, partition = name.partition("_")
    return TaskId(int(subtopology), int(partition)) if subtopology.isdigit() and partition.isdigit() else None


def _remove(folder: Path) -> None:
    """Under another name first: half of a state must not be found."""
    doomed = folder.with_name(folder.name + _REMOVED)
    if doomed.exists():
        shutil.rmtree(doomed)
    if folder.exists():
        folder.rename(doomed)
        shutil.rmtree(doomed)


def _sweep(slot: Path) -> None:
    """What a kill kept from being removed."""
    for doomed in slot.glob(f"*{_REMOVED}"):
        shutil.rmtree(doomed, ignore_errors=True)


def _look_at(task: TaskId, working: asyncio.Future[None]) -> None:
    """For whoever does not wait any more."""
    if not working.cancelled() and (error := working.exception()) is not None:
        log.warning("local state could not be closed", task=str(task), why=str(error))
