"""Reads changelogs, many at once, from wherever each of them is wanted, without a group (Java's restore consumer).

aiokafka forgets the positions of all partitions when the set of them changes, so they are kept here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import KafkaError

from app.errors import BrokerUnavailable
from app.kafka.closing import close
from app.kafka.compat import dead_tasks
from app.kafka.failures import describe, fatal
from app.kafka.fetching import Fetched, OffsetOutOfRange, end, fetch, pause, resume, row_consumer, seek
from app.kafka.log_bounds import WITHIN, LogBounds, log_bounds
from app.streams.model import TopicPartition

log = logging.getLogger(__name__)

FETCH_BYTES: Final = 8 * 1024 * 1024
PARTITION_BYTES: Final = 1024 * 1024
MAX_BATCHES: Final = 4
"""Record batches in hand at a time: they are taken apart in one go, on the event loop."""
_RETRY_AFTER: Final = 0.5
_CLOSE_WITHIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Lost:
    """A log that cannot be followed from where it was: what was made of it before has to be made anew."""

    partition: TopicPartition
    why: str

    def __str__(self) -> str:
        return f"{self.partition.topic}-{self.partition.partition}: {self.why}"


@dataclass(slots=True, eq=False)
class _Followed:
    """position: of the next record to hand out; None: the log's beginning, not asked for yet. checked: whether the
    log was seen to hold it. placed: whether the consumer stands there."""

    position: int | None
    checked: bool = False
    placed: bool = False


class ChangelogReader:
    """One task at a time calls `read`; the other methods may be called meanwhile."""

    def __init__(self, options: dict[str, Any], bounds: LogBounds, *, committed: bool) -> None:
        self._options = options
        self._bounds = bounds
        self._committed = committed
        self._consumer: AIOKafkaConsumer | None = None
        self._followed: dict[TopicPartition, _Followed] = {}
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._paused: set[TopicPartition] = set()
        self._ends: dict[TopicPartition, int] = {}
        self._lost: list[Lost] = []
        self._changed = asyncio.Event()

    # which

    def follow(self, partition: TopicPartition, position: int | None) -> None:
        """Hand out its records from this offset on; None: from the beginning. Again: from there on instead."""
        known = self._followed.get(partition)
        if known is None or known.position is None or known.position != position:
            self._followed[partition] = _Followed(position)
        self._changed.set()

    def drop(self, partition: TopicPartition) -> None:
        """Nothing of it is handed out any more, not even by a `read` under way."""
        self._followed.pop(partition, None)

    def take_lost(self) -> list[Lost]:
        """Those that were found not to hold their position; they are followed no longer."""
        lost, self._lost = self._lost, []
        return lost

    # records

    async def read(self, timeout_ms: int, partitions: Collection[TopicPartition] | None = None) -> list[Fetched]:
        """What has come in of these partitions (None: of all that are followed), some batches of it. Empty after
        `timeout_ms`, and whenever a partition was lost or the brokers cannot answer. Raises ServiceError."""
        try:
            return await self._read(timeout_ms, partitions)
        except OffsetOutOfRange as error:
            await self.check([error.partition])
        except KafkaError as error:
            refused = fatal(error, who="the restore", what="read the changelogs")
            if refused is not None:
                raise refused from error
            log.warning("the changelogs cannot be read now: %s", describe(error))
            await asyncio.sleep(_RETRY_AFTER)
        return []

    async def check(self, partitions: Collection[TopicPartition], within: float = WITHIN) -> None:
        """Whether the logs still hold the positions; those that do not are lost. Raises KafkaError and
        BrokerUnavailable."""
        asked = {each: found for each in partitions if (found := self._followed.get(each)) is not None}
        begins = await self._bounds.begins(asked, within)
        ends = await self._bounds.ends(asked, within=within)
        for partition, followed in asked.items():
            if self._followed.get(partition) is not followed:
                continue
            begin, end = begins.get(partition), ends.get(partition)
            if begin is None or end is None:
                self._lose(partition, "the topic is gone")
            elif followed.position is None:
                followed.position = begin
                self._ends[partition] = end
            elif followed.position > end:
                self._lose(partition, f"it ends at {end}, before {followed.position}: it was recreated or cut off")
            elif followed.position < begin:
                self._lose(partition, f"it begins at {begin}, behind {followed.position}: deletions may be missed")
            else:
                self._ends[partition] = end
            followed.checked = True
            followed.placed = False

    def end(self, partition: TopicPartition) -> int | None:
        """Of the log, as it was heard of last; None: not yet."""
        heard = end(self._consumer, partition) if self._consumer is not None and partition in self._assigned else None
        return self._ends.get(partition) if heard is None else heard

    async def begins(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Topics that are not there are left out."""
        return await self._bounds.begins(partitions)

    async def ends(
        self, partitions: Collection[TopicPartition], *, committed: bool = False
    ) -> dict[TopicPartition, int]:
        """High watermarks, so that a transaction that is about to commit is waited for; committed: up to the first
        open transaction. Raises KafkaError, and BrokerUnavailable for topics that are not there too."""
        found = await self._bounds.ends(partitions, committed=committed)
        if gone := sorted({each.topic for each in partitions if each not in found}):
            raise BrokerUnavailable(f"there is no topic {', '.join(gone)}")
        return found

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close(consumer.stop(), within=_CLOSE_WITHIN)

    async def _read(self, timeout_ms: int, partitions: Collection[TopicPartition] | None) -> list[Fetched]:
        await self._settle()
        placed = {each for each, followed in self._followed.items() if followed.placed}
        wanted = placed if partitions is None else placed.intersection(partitions)
        if not wanted or self._consumer is None:
            await self._wait(timeout_ms)
            return []
        self._pause(self._consumer, self._assigned - wanted)
        handed_out = {each: self._followed[each] for each in wanted}
        if dead := dead_tasks(self._consumer):
            await self._reopen()
            raise KafkaError(f"the client's {' and '.join(dead)} ended unasked")
        answers = await self._fetch(self._consumer, wanted, timeout_ms)
        # So that more is asked for before these are worked on.
        await asyncio.sleep(0)
        current = []
        for each in answers:
            followed = handed_out.get(each.partition)
            if followed is not None and self._followed.get(each.partition) is followed:
                followed.position = each.position
                current.append(each)
        return current

    async def _fetch(
        self, consumer: AIOKafkaConsumer, wanted: Collection[TopicPartition], timeout_ms: int
    ) -> list[Fetched]:
        """A change of what is followed ends it."""
        fetching = asyncio.ensure_future(fetch(consumer, wanted, timeout_ms=timeout_ms, max_batches=MAX_BATCHES))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({fetching, changed}, return_when=asyncio.FIRST_COMPLETED)
            return fetching.result() if fetching.done() else []
        finally:
            fetching.cancel()
            changed.cancel()

    async def _settle(self) -> None:
        """Let the consumer stand where we are."""
        self._changed.clear()
        if unchecked := [each for each, followed in self._followed.items() if not followed.checked]:
            await self.check(unchecked)
        if all(followed.placed for followed in self._followed.values()):
            return
        consumer = self._consumer or await self._open()
        followed = {each: found for each, found in self._followed.items() if found.checked}
        # From here to the last seek nothing is awaited: the client must not look for positions of its own.
        if not self._assigned.issuperset(followed):
            self._assigned = frozenset(followed)
            self._paused = set()
            consumer.assign([ClientPartition(*each) for each in self._assigned])
            for found in followed.values():
                found.placed = False
        for partition, found in followed.items():
            if not found.placed and found.position is not None:
                seek(consumer, partition, found.position)
                found.placed = True

    def _pause(self, consumer: AIOKafkaConsumer, unwanted: frozenset[TopicPartition] | set[TopicPartition]) -> None:
        if more := unwanted - self._paused:
            pause(consumer, *more)
        if fewer := self._paused - unwanted:
            resume(consumer, *fewer)
        self._paused = set(unwanted)

    async def _wait(self, timeout_ms: int) -> None:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._changed.wait()
        except TimeoutError:
            return

    def _lose(self, partition: TopicPartition, why: str) -> None:
        del self._followed[partition]
        self._lost.append(Lost(partition, why))

    async def _open(self) -> AIOKafkaConsumer:
        consumer = row_consumer(
            self._options,
            isolation_level="read_committed" if self._committed else "read_uncommitted",
            group_id=None,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_BYTES,
        )
        await consumer.start()
        self._consumer = consumer
        return consumer

    async def _reopen(self) -> None:
        await self.close()
        self._assigned, self._paused = frozenset(), set()
        for followed in self._followed.values():
            followed.placed = False


@asynccontextmanager
async def changelog_reader(options: dict[str, Any], *, committed: bool) -> AsyncIterator[ChangelogReader]:
    """committed: leave out what open and aborted transactions wrote (exactly-once). Raises KafkaError."""
    async with log_bounds(options) as bounds:
        reader = ChangelogReader(options, bounds, committed=committed)
        try:
            yield reader
        finally:
            await reader.close()
