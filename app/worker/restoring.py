"""Stores are rebuilt from their changelogs in the background, while other tasks run (L1, L3; Java: StateUpdater).

Rows are applied with the position up to which the store then holds, all or nothing, in slices that keep the event loop
free: whatever ends a restore, the next one goes on behind the last slice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from app.errors import BrokerUnavailable, ServiceError
from app.kafka.changelogs import ChangelogReader
from app.kafka.failures import CLIENT_FAILED, describe, fatal
from app.kafka.fetching import Fetched
from app.log import get_logger
from app.state import StateDamaged
from app.statistics import RestoreStatistics
from app.streams.model import Inbound, TaskId, TopicPartition
from app.worker.feeds import Feed, Log, logs_of, restorable
from app.worker.held import HeldTask
from app.worker.states import States

log = get_logger(__name__)

SLICE_S: Final = 0.003
SMALLEST_SLICE, LARGEST_SLICE = 64, 8_192
SETTLE_S: Final = 0.005
"""For a commit of gathered rows, which cannot be cut."""
FEWEST_TOGETHER, MOST_TOGETHER = 1_024, 65_536
MANY: Final = 2_000
"""Rows that are missing: with fewer each slice is committed by itself."""
READ_MS: Final = 50
REPORT_S: Final = 10.0
STALLED_S: Final = 5.0
"""Without a record, though some are missing: whether the log is still the same is asked again."""
CHECK_WITHIN: Final = 5.0
LIMITS_S: Final = 1.0

Limits = Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""Committed offsets of source topics that are changelogs too: a standby may follow them so far."""


class Restorer:
    """One for a stay, beside all lives of its producers; `run` it once.

    states: with them, many rows of a task on disk are committed together, which is twice as fast.
    failed: standbys whose state cannot be brought up to date, and why; whoever takes one out opens it anew.
    """

    def __init__(
        self,
        reader: ChangelogReader,
        states: States | None = None,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._reader = reader
        self._states = states
        self._limits = limits
        self._clock = clock
        self._feeds: dict[TaskId, Feed] = {}
        self._readers: dict[TopicPartition, Feed] = {}
        self._restored = self._followed = 0
        self._reported = clock()
        self._limited = 0.0
        self._limiting: asyncio.Task[None] | None = None
        self.failed: dict[TaskId, Exception] = {}

    def restore(self, held: HeldTask, targets: Mapping[TopicPartition, int]) -> asyncio.Future[None]:
        """Done when every changelog of the task is read up to its target. No row is applied after that, nor once the
        future was cancelled. Raises StateDamaged (through it) if the state has to be made anew, StateUnwritable."""
        done = asyncio.get_running_loop().create_future()
        missing = [where for where in held.changelogs.values() if where not in targets]
        if missing:
            raise StateDamaged(f"task {held.id} has no changelog {missing[0].topic}-{missing[0].partition} to read")
        if self._condemned(held.id):
            raise _condemned(held.id)
        for each in logs_of(held, targets).values():
            if each.beyond:
                topic, partition = each.partition
                raise StateDamaged(
                    f"it is at offset {each.position} of {topic}-{partition}, which ends at {each.target}"
                )
        self._begin(held, targets, done)
        return done

    def follow(self, held: HeldTask) -> None:
        """For ever, as records come."""
        known = self._feeds.get(held.id)
        if self._condemned(held.id):
            self.failed[held.id] = _condemned(held.id)
        elif known is None or known.task is not held.task or known.active:
            self._begin(held, {}, None)

    def stop(self, task: TaskId) -> None:
        """No row is applied after it returns."""
        feed = self._feeds.pop(task, None)
        if feed is None:
            return
        try:
            self._settle(feed)
        except ServiceError as error:
            # The rows before them are there, with their position: whoever restores it next goes on behind those.
            log.warning("restored rows could not be kept", task=str(task), why=str(error))
        if self._states is not None:
            self._states.misses(task, self._lag(feed))
        for partition in feed.logs:
            if self._readers.get(partition) is feed:
                del self._readers[partition]
                self._reader.drop(partition)
        if feed.done is not None and not feed.done.done():
            feed.done.cancel()

    def lag(self, task: TaskId) -> int | None:
        """Changelog records that are missing, over all its stores; None: not known, as of a task that is neither
        restored nor followed."""
        feed = self._feeds.get(task)
        return None if feed is None else self._lag(feed)

    def statistics(self) -> RestoreStatistics:
        now = self._clock()
        active = [feed for feed in self._feeds.values() if feed.active]
        standbys = [feed for feed in self._feeds.values() if not feed.active]
        return RestoreStatistics(
            rows=self._restored,
            remaining=sum(self._lag(feed) or 0 for feed in active),
            rows_per_s=sum(feed.rate(now) for feed in active),
            standby_rows=self._followed,
            standby_lag=sum(self._lag(feed) or 0 for feed in standbys),
        )

    async def run(self) -> None:
        """Until cancelled. Raises ServiceError when the changelogs cannot be read at all, or no copy can be written."""
        try:
            await self._run()
        finally:
            if self._limiting is not None:
                self._limiting.cancel()

    async def _run(self) -> None:
        while True:
            self._drop_cancelled()
            self._look_at_limits()
            fetched = await self._reader.read(READ_MS, self._wanted())
            # They belong to whoever followed the log now: another feed of it may begin elsewhere meanwhile.
            for feed, each in [(self._readers.get(each.partition), each) for each in fetched]:
                if feed is not None:
                    await self._apply(feed, each)
            for lost in self._reader.take_lost():
                feed = self._readers.get(lost.partition)
                if feed is not None:
                    self._fail(
                        feed, StateDamaged(f"the state of task {feed.held.id} cannot be brought up to date: {lost}")
                    )
            await self._look_at_stalled()
            self._report()

    # feeds

    def _begin(self, held: HeldTask, targets: Mapping[TopicPartition, int], done: asyncio.Future[None] | None) -> None:
        self.stop(held.id)
        self.failed.pop(held.id, None)
        now = self._clock()
        feed = Feed(held, held.task, logs_of(held, targets), done, now, moved=now)
        self._feeds[held.id] = feed
        if self._finish(feed):
            return
        for partition, each in feed.logs.items():
            if not each.done:
                self._readers[partition] = feed
                self._reader.follow(partition, each.position)

    def _finish(self, feed: Feed) -> bool:
        """Whether an active task is complete: then it is let go of before anybody hears of it."""
        if feed.done is None or not all(each.done for each in feed.logs.values()):
            return False
        if not self._settled(feed):
            return True
        done, feed.done = feed.done, None
        self.stop(feed.held.id)
        if not done.done():
            done.set_result(None)
        if feed.rows:
            self._say("state restored", feed)
        return True

    def _fail(self, feed: Feed, error: Exception) -> None:
        done, feed.done = feed.done, None
        self.stop(feed.held.id)
        if done is None:
            if not isinstance(error, StateDamaged):
                raise error  # a full disk: what is there is right, and to make it anew takes more room
            self.failed[feed.held.id] = error
        elif not done.done():
            done.set_exception(error)

    def _drop_cancelled(self) -> None:
        for feed in [each for each in self._feeds.values() if each.done is not None and each.done.cancelled()]:
            self.stop(feed.held.id)

    def _wanted(self) -> list[TopicPartition]:
        """Active tasks come first: somebody waits for their output."""
        waiting = any(feed.active for feed in self._feeds.values())
        return [
            partition
            for partition, feed in self._readers.items()
            if (feed.active or not waiting) and not feed.logs[partition].at_limit
        ]

    # rows

    async def _apply(self, feed: Feed, fetched: Fetched) -> None:
        partition, rows, position, end = fetched
        if self._readers.get(partition) is not feed or self._cancelled(feed):
            return
        each = feed.logs[partition]
        each.end = end
        feed.moved = self._clock()
        if each.limit is not None and position > each.limit:
            rows, position = [row for row in rows if row[0] < each.limit], each.limit
        at = 0
        while at < len(rows):
            part = rows[at : at + feed.pace]
            at += len(part)
            if not self._restore(feed, each, part, position if at >= len(rows) else part[-1][0] + 1):
                return
            await asyncio.sleep(0)
            if self._readers.get(partition) is not feed or self._cancelled(feed):
                return
        # Markers alone are not worth a write: the next ones who come by read them again.
        each.position = position
        if each.at_limit or each.done:
            self._arrived(feed, each)

    def _restore(self, feed: Feed, each: Log, rows: list[Inbound], position: int) -> bool:
        # Processor time: what other processes take from this one must not make the slices, and their writes, small.
        began = time.thread_time()
        restored = restorable(rows)
        if (self._lag(feed) or 0) > MANY:
            self._gather(feed, len(rows))
        elif not self._settled(feed):
            return False
        try:
            for store in each.stores:
                feed.task.restore(store, restored, position)
        except ServiceError as error:
            self._fail(feed, error)
            return False
        each.position = position
        took = time.thread_time() - began
        feed.rows += len(rows)
        if feed.active:
            self._restored += len(rows)
        else:
            self._followed += len(rows)
        # Half of the way to what would have filled the slice: a single slow write is no rule.
        fitting = int(len(rows) * SLICE_S / took) if took > 0 else LARGEST_SLICE
        feed.pace = max(SMALLEST_SLICE, min(LARGEST_SLICE, (feed.pace + fitting) // 2))
        return feed.gathered < feed.together or self._settled(feed)

    def _gather(self, feed: Feed, rows: int) -> None:
        if self._states is not None:
            self._states.gather(feed.held.id)
            feed.gathered += rows

    def _settled(self, feed: Feed) -> bool:
        try:
            self._settle(feed)
        except ServiceError as error:
            self._fail(feed, error)
            return False
        return True

    def _settle(self, feed: Feed) -> None:
        """Commit what was gathered, and judge by the time it took how much is right."""
        if self._states is None or not feed.gathered:
            return
        began = time.thread_time()
        gathered, feed.gathered = feed.gathered, 0
        self._states.settle(feed.held.id)
        took = time.thread_time() - began
        fitting = int(gathered * SETTLE_S / took) if took > 0 else MOST_TOGETHER
        feed.together = max(FEWEST_TOGETHER, min(MOST_TOGETHER, (feed.together + fitting) // 2))

    def _arrived(self, feed: Feed, each: Log) -> None:
        if each.done:
            self._readers.pop(each.partition, None)
            self._reader.drop(each.partition)
            self._finish(feed)
        elif each.position is not None:
            # What was read beyond the limit is read again when the limit has moved.
            self._reader.follow(each.partition, each.position)

    def _lag(self, feed: Feed) -> int | None:
        for partition, each in feed.logs.items():
            if (end := self._reader.end(partition)) is not None:
                each.end = end
        return feed.lag

    def _cancelled(self, feed: Feed) -> bool:
        return feed.done is not None and feed.done.cancelled()

    def _condemned(self, task: TaskId) -> bool:
        return self._states is not None and self._states.condemned(task)

    # what else may be the matter

    def _look_at_limits(self) -> None:
        """The looking takes as long as a transaction of others is open: nothing waits for it."""
        if self._limiting is not None and self._limiting.done():
            self._limiting.result()
            self._limiting = None
        sources = [
            partition
            for partition, feed in self._readers.items()
            if not feed.active
            and any(store in feed.task.topology.restored_from for store in feed.logs[partition].stores)
        ]
        self._raise_limits(dict.fromkeys(sources, 0))
        now = self._clock()
        if sources and self._limits is not None and self._limiting is None and now - self._limited >= LIMITS_S:
            self._limited = now
            self._limiting = asyncio.create_task(self._ask_for_limits(self._limits, sources))

    async def _ask_for_limits(self, limits: Limits, sources: Collection[TopicPartition]) -> None:
        try:
            self._raise_limits(await limits(sources))
        except CLIENT_FAILED as error:
            refused = fatal(error, who="standbys", what="read the committed offsets")
            if refused is not None:
                raise refused from error
            log.info("standbys wait to hear what is committed", why=describe(error))

    def _raise_limits(self, known: Mapping[TopicPartition, int]) -> None:
        for partition, committed in known.items():
            feed = self._readers.get(partition)
            if feed is not None and not feed.active:
                each = feed.logs[partition]
                each.limit = max(committed, each.limit or 0)

    async def _look_at_stalled(self) -> None:
        now = self._clock()
        for feed in [each for each in self._feeds.values() if self._lag(each) and now - each.moved > STALLED_S]:
            feed.moved = now
            log.info("a restore waits for records", task=str(feed.held.id), remaining=feed.lag)
            stalled = [partition for partition in feed.logs if self._readers.get(partition) is feed]
            try:
                await self._reader.check(stalled, CHECK_WITHIN)
            except BrokerUnavailable as error:
                log.warning("the changelogs do not answer", task=str(feed.held.id), why=str(error))

    def _report(self) -> None:
        now = self._clock()
        if now - self._reported < REPORT_S:
            return
        self._reported = now
        for feed in self._feeds.values():
            if feed.active:
                self._say("restoring state", feed)

    def _say(self, what: str, feed: Feed) -> None:
        now = self._clock()
        log.info(
            what,
            task=str(feed.held.id),
            stores=", ".join(store for each in feed.logs.values() for store in each.stores),
            rows=feed.rows,
            remaining=self._lag(feed),
            seconds=round(now - feed.since, 1),
            rows_per_s=round(feed.rate(now)),
        )


def _condemned(task: TaskId) -> StateDamaged:
    """Whoever found the damage was interrupted before it was opened anew."""
    return StateDamaged(f"the state of task {task} was found damaged before")
