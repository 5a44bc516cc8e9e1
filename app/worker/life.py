"""The life of one producer: fetch, process, commit, until it is told to stop or a transaction fails.

A failed transaction, or a lost membership, ends the life; what was not committed is dropped with it, and the next life
builds its tasks anew over what was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from app.errors import cause_of
from app.kafka.failures import CLIENT_FAILED, describe, fatal
from app.kafka.fetching import Fetched, FetchFailed, OffsetOutOfRange, end, fetch, position
from app.kafka.membership import Assigned
from app.streams.model import TopicPartition
from app.worker.committing import Committer
from app.worker.processing import Processing
from app.worker.takeover import Means, Takeover
from app.worker.tasks import Tasks

log = logging.getLogger(__name__)

IDLE_MS = 50
"""The longest wait for records: a stop, a rebalance or a pause is seen within it."""
WAITING_BYTES = 32 * 1024 * 1024
"""Rows that wait for their transaction: with more, nothing is processed until some have gone."""
RETRY_AFTER = 0.5
PUSH_EVERY = 0.05
"""Seconds after which rows that are visible before the commit go in batches of any size, although more are coming."""
PREPARE_MS = 40
"""So long before a commit is due it is announced: the coordinator has answered by then on a slow machine too."""
BLOCKED_FOR = 5.0
"""Seconds before a batch that could not be read is tried again; other partitions are read meanwhile."""
WARM_EVERY = 1.0
"""Seconds between two looks at whether the warm-ups have caught up."""


class MembershipLost(Exception):
    """The group went on without us: whatever was processed since the last commit belongs to others."""


@dataclass(frozen=True, slots=True)
class LifeOptions:
    commit_every_ms: int
    overlay_rows: int
    """Changed rows of one task that are committed before the interval is over."""
    acceptable_lag: int


class Rebalance:
    """What the group's listener and the loop say to each other. Outlives a life."""

    def __init__(self) -> None:
        self.holding = False
        """A rebalance is under way: nothing is processed, nothing fetched counts."""
        self.lost = False
        self.quiet = asyncio.Event()
        """All that was processed is committed, or will never be. So it is before anything is taken."""
        self.quiet.set()

    async def begin(self, lost: bool) -> None:
        """Awaited by the listener, which lets the rebalance go on when it returns."""
        self.holding = True
        self.lost = self.lost or lost
        if not lost:
            await self.quiet.wait()

    def end(self) -> None:
        self.holding = False
        self.quiet.clear()


class Life:
    """One per producer. `run` returns when `stop` is set and everything processed is committed."""

    def __init__(
        self,
        tasks: Tasks,
        means: Means,
        committer: Committer,
        rebalance: Rebalance,
        options: LifeOptions,
    ) -> None:
        self._tasks = tasks
        self._means = means
        self._writer = committer.writer
        self._committer = committer
        self._rebalance = rebalance
        self._options = options
        self._totals = committer.totals
        self._takeover = Takeover(tasks, means)
        self._processing = Processing(tasks, committer.writer, committer.totals, means.clock_ms, self._bounds)
        self._assigned: Assigned | None = None
        self._committing: asyncio.Task[None] | None = None
        self._bringing: asyncio.Task[None] | None = None
        self._blocked: dict[TopicPartition, float] = {}
        self._committed_at = time.monotonic()
        self._prepared = False
        self._pushed_at = time.monotonic()
        self._warm_at = time.monotonic()

    async def run(self, stop: asyncio.Event, paused: Callable[[], bool]) -> None:
        """Raises TransactionFailed, MembershipLost, RecordError, ServiceError, and what a client raises."""
        self._means.transport.begin()
        self._means.group.changed.set()
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._writer.run())
                await self._loop(stop, paused)
                sending.cancel()
        finally:
            for left in (self._committing, self._bringing):
                if left is not None and not left.done():
                    left.cancel()
            await asyncio.gather(
                *(left for left in (self._committing, self._bringing) if left is not None), return_exceptions=True
            )
            self._rebalance.quiet.set()

    async def _loop(self, stop: asyncio.Event, paused: Callable[[], bool]) -> None:
        while not stop.is_set():
            self._look()
            if self._rebalance.holding:
                await self._hold()
            elif paused():
                self._push(busy=False)
                await asyncio.sleep(IDLE_MS / 1000)
            elif self._writer.waiting_bytes > WAITING_BYTES or self._overgrown():
                self._push(busy=True)
                await asyncio.sleep(0.001)
            else:
                await self._turn()
            await self._commit_when_due()
        await self._commit_all()

    def _look(self) -> None:
        """At what happened beside the loop."""
        group = self._means.group
        if group.failure is not None:
            raise group.failure
        if self._rebalance.lost:
            raise MembershipLost("the group went on without this member")
        for task in (self._bringing, self._committing):
            if task is not None and task.done():
                task.result()
        if self._committing is not None and self._committing.done():
            self._committing = None
        if group.changed.is_set():
            group.changed.clear()
            if group.assigned is not None:
                self._take(group.assigned)
        if self._assigned is not None and group.epoch != self._assigned.epoch:
            raise MembershipLost("this member was away for longer than its session")
        if self._assigned is not None and time.monotonic() - self._warm_at > WARM_EVERY:
            self._warm_at = time.monotonic()
            self._move_the_warm(self._assigned)
            if self._means.restorer.failed and self._bringing is not None and self._bringing.done():
                self._bringing = asyncio.create_task(self._bring(self._assigned, None))

    def _take(self, assigned: Assigned) -> None:
        if self._bringing is not None:
            self._bringing.cancel()
        self._rebalance.end()
        self._assigned = assigned
        self._totals.rebalances += 1
        self._takeover.keep(assigned)
        self._bringing = asyncio.create_task(self._bring(assigned, self._bringing))

    async def _bring(self, assigned: Assigned, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        while True:
            try:
                await self._takeover.bring(assigned)
                return
            except* CLIENT_FAILED as failures:
                error = cause_of(failures)
                refused = fatal(error, who="streams", what=f"take over tasks of group {assigned.group.group}")
                if refused is not None:
                    raise refused from error
                log.warning("taking over tasks: %s; trying again", describe(error))
            await asyncio.sleep(RETRY_AFTER)

    async def _turn(self) -> None:
        """Fetch what there is, and process a slice of each task."""
        processing, wanted = self._processing, self._processing.wanted()
        busy = await processing.turn()
        self._push(busy=bool(busy))
        if wanted:
            epoch = self._means.group.epoch
            fetched = await self._fetch(wanted, timeout_ms=0 if busy else self._patience_ms())
            # Data of an older epoch is not ours any more, or will be read again from where the task stands.
            if epoch == self._means.group.epoch and not self._rebalance.holding:
                processing.feed(fetched)
        elif not busy:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_ms() / 1000):
                    await self._means.group.changed.wait()

    def _push(self, *, busy: bool) -> None:
        """Rows that no transaction holds back go when nothing else is at hand. While more is, batches grow: small ones
        would cost what is lacking then."""
        if self._means.exactly_once:
            return
        now = time.monotonic()
        if not busy or now - self._pushed_at >= PUSH_EVERY:
            self._pushed_at = now
            self._writer.push()

    async def _fetch(self, wanted: list[TopicPartition], timeout_ms: int) -> list[Fetched]:
        now = time.monotonic()
        ready = [where for where in wanted if self._blocked.get(where, 0.0) <= now] if self._blocked else wanted
        try:
            return await fetch(self._means.group.consumer, ready, timeout_ms=timeout_ms)
        except OffsetOutOfRange as error:
            if error.partition in self._processing.wanted():
                await self._takeover.reset(error.partition, error.position)
        except FetchFailed as error:
            if self._blocked.get(error.partition, 0.0) <= now:
                log.error("%s; its task stops there, trying again in %g s", describe(error), BLOCKED_FOR)
            self._blocked[error.partition] = now + BLOCKED_FOR
        return []

    def _bounds(self, source: TopicPartition) -> tuple[int | None, int | None]:
        consumer = self._means.group.consumer
        return position(consumer, source), end(consumer, source)

    def _patience_ms(self) -> int:
        """Until something is due, in ms."""
        due = self._processing.wake_at() - self._means.clock_ms()
        if self._committing is not None or any(held.task.needs_commit for held in self._tasks.running()):
            since = (time.monotonic() - self._committed_at) * 1000
            lead = 0 if self._prepared or self._committing is not None else PREPARE_MS
            due = min(due, int(self._options.commit_every_ms - lead - since))
        return max(1, min(due, IDLE_MS))

    def _overgrown(self) -> bool:
        """Whether a commit is under way and the next one would already be too large."""
        return self._committing is not None and any(
            held.task.dirty_rows > self._options.overlay_rows for held in self._tasks.running()
        )

    async def _commit_when_due(self) -> None:
        if self._committing is not None or self._assigned is None or self._rebalance.holding:
            return
        since = (time.monotonic() - self._committed_at) * 1000
        early = since >= self._options.commit_every_ms or any(
            held.task.commit_requested or held.task.dirty_rows > self._options.overlay_rows
            for held in self._tasks.running()
        )
        if early:
            await self._commit()
        elif not self._prepared and since >= self._options.commit_every_ms - PREPARE_MS:
            self._prepared = self._committer.prepare(self._tasks.running(), self._assigned.group)

    async def _commit(self) -> None:
        """Seal; what remains to be done is done beside the loop."""
        if self._assigned is None:
            return
        self._committed_at = time.monotonic()
        self._prepared = False
        sealed = await self._committer.seal(self._tasks.running())
        if sealed is not None:
            self._committing = asyncio.create_task(self._committer.finish(sealed, self._assigned.group))

    async def _commit_all(self) -> None:
        """Nothing that was processed is left uncommitted."""
        if self._committing is not None:
            await self._committing
        await self._commit()
        if self._committing is not None:
            await self._committing
        self._committing = None

    async def _hold(self) -> None:
        """A rebalance waits for us: what we know is committed under the old generation, then others may go on."""
        if not self._rebalance.quiet.is_set():
            await self._commit_all()
            self._assigned = None
            self._rebalance.quiet.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_MS / 1000):
                await self._means.group.changed.wait()

    def _move_the_warm(self, assigned: Assigned) -> None:
        """When every task that is to come here has caught up, the group is asked to hand them over."""
        lags = [self._means.restorer.lag(task) for task in assigned.duties.warmups]
        if lags and all(lag is not None and lag <= self._options.acceptable_lag for lag in lags):
            log.info("warm: %s; asking for them", ", ".join(str(task) for task in assigned.duties.warmups))
            self._means.group.rejoin()
