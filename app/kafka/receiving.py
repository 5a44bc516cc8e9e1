"""C's records: an async iterator of batches, each committed once the body of the loop is done with it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    CorruptRecordException,
    IllegalOperation,
    KafkaError,
    UnsupportedCodecError,
)

from app.errors import BrokerUnavailable
from app.kafka.closing import close
from app.kafka.compat import dead_tasks
from app.kafka.failures import describe, fatal
from app.kafka.link import Link
from app.numbers import Received
from app.statistics import PartitionStatistics

log = logging.getLogger(__name__)

CLOSE_WITHIN = 2.0
CLOSE_UNJOINED_WITHIN = 0.3
POLL_MS = 200
BLOCKED_PAUSE = 5.0
"""Seconds before a batch that could not be read is tried again."""

OpenConsumer = Callable[[ConsumerRebalanceListener], AIOKafkaConsumer]
Prepare = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Subscription:
    topic: str
    group: str
    max_records: int
    revoke_within: float
    """Seconds that a rebalance may wait for the batch in hand."""


class Unfetchable(Exception):
    """A batch that the client cannot take apart: a wrong checksum, an unknown codec."""


class Receiver(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """A group member that reads from the earliest offset. Only this object commits, and only what was handled."""

    def __init__(self, subscription: Subscription, open_consumer: OpenConsumer, prepare: Prepare, link: Link) -> None:
        self._subscription = subscription
        self._open_consumer = open_consumer
        self._prepare = prepare
        self._link = link
        self._consumer: AIOKafkaConsumer | None = None
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._epoch = 0
        self._careful = False
        self._positions: dict[TopicPartition, int] = {}
        self.assigned = False
        """Whether this member knows its partitions, be they none."""
        self.blocked = ""
        """Why nothing can be read, or empty."""
        self.commits = 0
        self.rebalances = 0

    async def batches(self, stop: asyncio.Event) -> AsyncGenerator[Sequence[Received], None]:
        """Until `stop`. A batch counts as handled when the next one is asked for. Raises NoPermission."""
        pause = 0.1
        while not stop.is_set():
            try:
                async with aclosing(self._membership(stop)) as stay:
                    async for batch in stay:
                        pause = 0.1
                        yield batch
            except Unfetchable as error:
                self.blocked = str(error)
                log.error("%s; C stops there, trying again in %g s", error, BLOCKED_PAUSE)
                await _either(stop, BLOCKED_PAUSE)
            except (KafkaError, BrokerUnavailable) as error:
                refused = fatal(
                    error, who="C", what=f"read {self._subscription.topic} in group {self._subscription.group}"
                )
                if refused is not None:
                    raise refused from error
                self._link.doubt()
                log.log(logging.WARNING if self.assigned else logging.DEBUG, "C joins anew: %s", describe(error))
                await _either(stop, pause)
                pause = min(2 * pause, 2.0)

    async def _membership(self, stop: asyncio.Event) -> AsyncGenerator[Sequence[Received], None]:
        """One stay in the group, from joining it to leaving it."""
        await self._joined(stop)
        consumer = self._consumer
        if consumer is None:
            return
        try:
            while not stop.is_set():
                batch = await self._fetch(consumer)
                if not batch:
                    if dead := dead_tasks(consumer):
                        raise KafkaError(f"the client's {' and '.join(dead)} ended unasked")
                    continue
                # No await between the end of the fetch and here: a revocation finds us either before it or not at rest.
                self._at_rest.clear()
                epoch = self._epoch
                try:
                    yield batch
                    await self._commit(consumer, batch, epoch)
                finally:
                    self._at_rest.set()
        finally:
            self._consumer = None
            self.assigned = False
            self._positions.clear()
            await close(consumer.stop(), within=CLOSE_WITHIN)

    async def _joined(self, stop: asyncio.Event) -> None:
        if not await self._link.up_before(stop):
            return
        await self._prepare()
        consumer = self._open_consumer(self)
        # Joining lasts as long as the rebalance. Who is to stop meanwhile has nothing to finish and nothing to leave.
        starting, stopping = asyncio.ensure_future(consumer.start()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._consumer = consumer
        finally:
            stopping.cancel()
            if self._consumer is None:
                starting.cancel()
                await close(consumer.stop(), within=CLOSE_UNJOINED_WITHIN)

    async def _fetch(self, consumer: AIOKafkaConsumer) -> list[Received]:
        if self._careful:
            return await self._fetch_carefully(consumer)
        try:
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._subscription.max_records)
        except Exception as error:
            if not _unreadable(error):
                raise
            # The client has dropped what it took apart, of other partitions too. Only the committed offsets are
            # sure: join anew, and take one record at a time until the culprit is met.
            self._careful = True
            raise KafkaError(f"a batch could not be read: {describe(error)}") from error
        if fetched:
            self.blocked = ""
        return [record for records in fetched.values() for record in records]

    async def _fetch_carefully(self, consumer: AIOKafkaConsumer) -> list[Received]:
        """One record of one partition, so that an error tells exactly where it is and costs no other record."""
        for partition in consumer.assignment():
            try:
                fetched = await consumer.getmany(partition, timeout_ms=POLL_MS, max_records=1)
            except Exception as error:
                if not _unreadable(error):
                    raise
                offset = self._positions.get(partition)
                at = f"offset {offset}" if offset is not None else "the committed offset"
                raise Unfetchable(
                    f"{partition.topic}-{partition.partition} at {at}: the batch cannot be read: {describe(error)}"
                ) from error
            if fetched:
                return [record for records in fetched.values() for record in records]
        if consumer.assignment():
            self._careful, self.blocked = False, ""  # every partition was read to its end
        return []

    async def _commit(self, consumer: AIOKafkaConsumer, batch: Sequence[Received], epoch: int) -> None:
        if epoch != self._epoch:
            # A rebalance went on without us. The client would commit with the new generation, for partitions of others.
            log.warning(
                "C: %d records were handled but not committed, since their partitions moved; they will be read again",
                len(batch),
            )
            return
        offsets = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in batch}
        try:
            await consumer.commit(offsets)
        except CommitFailedError as error:
            log.warning(
                "C: %d records were handled but not committed: %s; they will be read again", len(batch), describe(error)
            )
            return
        self.commits += 1
        self._positions.update(offsets)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Waits for the batch in hand, so that the next owner starts behind it. aiokafka would only log an error."""
        self.assigned = False
        try:
            async with asyncio.timeout(self._subscription.revoke_within):
                await self._at_rest.wait()
        except TimeoutError:
            log.warning("C: the batch in hand is not done, its partitions move without it")
        self._epoch += 1
        self._positions.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self.rebalances += 1
        self.assigned = True
        names = ", ".join(str(partition.partition) for partition in sorted(assigned)) or "none"
        log.info("C has partitions of %s: %s", self._subscription.topic, names)

    @property
    def dead(self) -> list[str]:
        """Background tasks of the client that have died."""
        return dead_tasks(self._consumer) if self._consumer else []

    def partitions(self) -> tuple[PartitionStatistics, ...]:
        consumer = self._consumer
        if consumer is None or not self.assigned:
            return ()
        return tuple(_partition(consumer, self._positions, partition) for partition in sorted(consumer.assignment()))


def _partition(
    consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int], partition: TopicPartition
) -> PartitionStatistics:
    position, end = positions.get(partition), consumer.highwater(partition)
    lag = max(0, end - position) if position is not None and end is not None else None
    return PartitionStatistics(partition.topic, partition.partition, position, lag)


def _unreadable(error: Exception) -> bool:
    """Whether it comes from taking a batch apart: errors of codecs and parsers come through as they are."""
    if isinstance(error, KafkaError):
        return isinstance(error, CorruptRecordException | UnsupportedCodecError)
    return not isinstance(error, ConsumerStoppedError | IllegalOperation)


async def _either(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
