"""What the tests of transactions share: topics, a member of a group, batches, a reader of what was committed."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.admin import KafkaAdminClient, NewTopic

from app.kafka.clients import client_options
from app.kafka.closing import close
from app.kafka.compat import group_metadata
from app.kafka.failpoints import Failpoint, Step, passes
from app.kafka.group_metadata import GroupMetadata
from app.kafka.stable_offsets import stable_offsets
from app.kafka.transactions import TransactionalProducer, TransactionOptions, transactional_producer
from app.settings.model import KafkaSettings
from app.streams.model import Offset, TopicPartition

Offsets = dict[TopicPartition, Offset]

MARKERS_WITHIN = 2.0
"""Seconds from the answer to EndTxn to its markers in all logs, on a busy machine."""


def options(server: str) -> dict[str, Any]:
    return client_options(KafkaSettings(), (server,))


@dataclass
class Scene:
    """Names of a test's own: `source` is read by the group, `sink` is written; both have `partitions`."""

    server: str
    partitions: int = 1
    name: str = field(default_factory=lambda: f"transactions-{uuid.uuid4().hex[:8]}")

    @property
    def source(self) -> str:
        return f"{self.name}-source"

    @property
    def sink(self) -> str:
        return f"{self.name}-sink"

    def create_topics(self, **configs: str) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            topics = [NewTopic(name, self.partitions, 1, topic_configs=configs) for name in (self.source, self.sink)]
            admin.create_topics(topics)

    def producer(
        self, failpoint: Failpoint = passes, timeout_ms: int = 10_000, transactional_id: str | None = None
    ) -> AbstractAsyncContextManager[TransactionalProducer]:
        transaction = TransactionOptions(transactional_id or self.name, timeout_ms, failpoint=failpoint)
        return transactional_producer(options(self.server), transaction)

    def offsets(self, offset: int, text: str = "") -> Offsets:
        """The same for every partition of the source."""
        return {TopicPartition(self.source, partition): Offset(offset, text) for partition in range(self.partitions)}

    @asynccontextmanager
    async def member(self, instance: str | None = None) -> AsyncIterator[tuple[GroupMetadata, AIOKafkaConsumer]]:
        """As captured while the assignment was taken over."""
        captured: asyncio.Future[GroupMetadata] = asyncio.get_running_loop().create_future()

        def taken_over() -> None:
            if not captured.done():
                captured.set_result(group_metadata(consumer))

        consumer = AIOKafkaConsumer(
            self.source,
            **options(self.server),
            group_id=self.name,
            group_instance_id=instance,
            enable_auto_commit=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=300,
            partition_assignment_strategy=(Capturing(taken_over),),
        )
        await consumer.start()
        try:
            async with asyncio.timeout(20):
                yield await captured, consumer
        finally:
            await close(consumer.stop(), within=5)

    async def committed(self) -> list[bytes]:
        """Values of the sink, as a reader of what was committed sees them. A commit is told before its markers are in
        all logs: for those it waits, but no longer than that takes, and so for no open transaction."""
        # Not by seek_to_beginning(): the reset to the latest offset, begun by assign(), may come to its end after it.
        reader = AIOKafkaConsumer(
            **options(self.server), isolation_level="read_committed", auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        watch = AIOKafkaConsumer(**options(self.server), isolation_level="read_uncommitted")
        await reader.start()
        await watch.start()
        try:
            partitions = [ClientPartition(self.sink, partition) for partition in range(self.partitions)]
            reader.assign(partitions)
            settled = time.monotonic() + MARKERS_WITHIN
            while (ends := await reader.end_offsets(partitions)) != await watch.end_offsets(partitions):
                if time.monotonic() > settled:
                    break
                await asyncio.sleep(0.02)
            values: list[bytes] = []
            deadline = time.monotonic() + 20
            while any([await reader.position(partition) < ends[partition] for partition in partitions]):
                assert time.monotonic() < deadline, "the committed records cannot be read"
                for records in (await reader.getmany(timeout_ms=200)).values():
                    values += [record.value for record in records]
            return values
        finally:
            await close(watch.stop(), within=5)
            await close(reader.stop(), within=5)

    async def until_committed(self, values: set[bytes], within: float = 60) -> None:
        deadline = time.monotonic() + within
        while missing := values.difference(await self.committed()):
            assert time.monotonic() < deadline, f"not within {within} s: {len(missing)} of {len(values)} are committed"
            await asyncio.sleep(0.2)

    async def send(
        self, producer: TransactionalProducer, values: Sequence[bytes], partition: int = 0, topic: str | None = None
    ) -> None:
        """To the sink unless told otherwise."""
        batch = producer.create_batch()
        for value in values:
            assert batch.append(timestamp=1_700_000_000_000, key=None, value=value, headers=[]) is not None
        await producer.send_batch(batch, topic or self.sink, partition)

    async def transact(
        self, group: GroupMetadata, values: Sequence[bytes], failpoint: Failpoint = passes, timeout_ms: int = 10_000
    ) -> None:
        """A producer with one transaction, that moves the offsets to 1."""
        async with self.producer(failpoint, timeout_ms) as producer:
            producer.begin()
            await self.send(producer, values)
            await producer.commit(self.offsets(1), group)

    async def stable(self, producer: TransactionalProducer, within: float = 20) -> Offsets:
        return await stable_offsets(producer.client, self.name, self.offsets(0), within=within)


def breaks_at(step: Step) -> Failpoint:
    """What a crash in that step would leave behind: nothing is sent any more, the transaction stays open."""

    def breaks(reached: Step) -> None:
        if reached is step:
            raise ConnectionAbortedError(step.value)

    return breaks


class Capturing:
    """A range assignor that tells when an assignment is taken over."""

    name = "range"
    metadata = staticmethod(RangePartitionAssignor.metadata)
    assign = staticmethod(RangePartitionAssignor.assign)

    def __init__(self, taken_over: Callable[[], None]) -> None:
        self._taken_over = taken_over

    def on_assignment(self, assignment: object) -> None:
        self._taken_over()
