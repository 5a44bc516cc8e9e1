"""What the tests of fetching share: a log with everything in it, a reader of rows, and aiokafka's own as the judge."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as ClientPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.admin import KafkaAdminClient, NewTopic

from app.kafka.clients import client_options
from app.kafka.closing import close
from app.kafka.compat import IdempotentProducer
from app.kafka.fetching import Fetched, fetch, row_consumer, seek
from app.kafka.transactions import TransactionOptions, transactional_producer
from app.settings.model import KafkaSettings
from app.streams.model import Headers, Inbound, TopicPartition

START_MS = 1_700_000_000_000


@dataclass
class Log:
    """A topic of a test's own."""

    server: str
    partitions: int = 1
    topic: str = field(default_factory=lambda: f"log-{uuid.uuid4().hex[:8]}")

    def create(self, **configs: str) -> None:
        kept = {"retention.ms": "-1", **configs}  # timestamps here are years old
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            admin.create_topics([NewTopic(self.topic, self.partitions, 1, topic_configs=kept)])

    @property
    def all(self) -> list[TopicPartition]:
        return [TopicPartition(self.topic, number) for number in range(self.partitions)]

    @property
    def options(self) -> dict[str, Any]:
        return client_options(KafkaSettings(), (self.server,))

    async def append(
        self, batches: Iterable[Sequence[Inbound]], partition: int = 0, compression: str | None = None
    ) -> None:
        """A batch each, as they are; the offsets are the broker's to give."""
        producer = IdempotentProducer(**self.options, compression_type=compression, max_batch_size=1 << 20)
        await producer.start()
        try:
            for rows in batches:
                batch = producer.create_batch()
                for _, timestamp, key, value, headers in rows:
                    assert batch.append(timestamp=timestamp, key=key, value=value, headers=[*headers]) is not None
                batch.close()
                await (await producer.send_batch(batch, self.topic, partition=partition))
        finally:
            await close(producer.stop(), within=5)

    async def transact(self, values: Sequence[bytes], *, commit: bool, partition: int = 0) -> None:
        """A batch for each three values."""
        name = f"{self.topic}-{commit}"
        async with transactional_producer(self.options, TransactionOptions(name)) as producer:
            producer.begin()
            for start in range(0, len(values), 3):
                batch = producer.create_batch()
                for value in values[start : start + 3]:
                    batch.append(timestamp=START_MS, key=b"transacted", value=value, headers=[])
                await producer.send_batch(batch, self.topic, partition)
            await (producer.commit({}, None) if commit else producer.abort())

    @asynccontextmanager
    async def reader(self, isolation_level: str = "read_committed", **rest: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """All partitions from their first offset on."""
        consumer = row_consumer(self.options, isolation_level=isolation_level, **rest)
        await consumer.start()
        try:
            consumer.assign([ClientPartition(*partition) for partition in self.all])
            for partition in self.all:
                seek(consumer, partition, 0)
            yield consumer
        finally:
            await close(consumer.stop(), within=5)

    def member(self, name: str, listener: ConsumerRebalanceListener | None) -> AIOKafkaConsumer:
        """Of one group; not started."""
        consumer = row_consumer(
            {**self.options, "client_id": name},
            isolation_level="read_committed",
            group_id=self.topic,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=300,
            rebalance_timeout_ms=10_000,
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        consumer.subscribe([self.topic], listener=listener)
        return consumer

    async def judged(self, isolation_level: str) -> dict[TopicPartition, tuple[list[Inbound], int]]:
        """Rows and the position after them, as aiokafka's own interface tells them."""
        consumer = AIOKafkaConsumer(**self.options, isolation_level=isolation_level, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = [ClientPartition(*partition) for partition in self.all]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            found: dict[TopicPartition, list[Inbound]] = {partition: [] for partition in self.all}
            deadline = time.monotonic() + 20
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                assert time.monotonic() < deadline, "the log cannot be read"
                for partition, records in (await consumer.getmany(timeout_ms=100)).items():
                    found[partition] += [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]
            return {partition: (found[partition], await consumer.position(partition)) for partition in partitions}
        finally:
            await close(consumer.stop(), within=5)


async def fetched_until(
    consumer: AIOKafkaConsumer, wanted: dict[TopicPartition, int], **limits: int
) -> dict[TopicPartition, list[Fetched]]:
    """All that comes until each partition is at that position."""
    found: dict[TopicPartition, list[Fetched]] = {partition: [] for partition in wanted}
    async with asyncio.timeout(20):
        while left := [tp for tp, position in wanted.items() if not found[tp] or found[tp][-1].position < position]:
            for part in await fetch(consumer, left, timeout_ms=500, **limits):
                found[part.partition].append(part)
    return found


def joined(parts: Collection[Fetched]) -> list[Inbound]:
    return [row for part in parts for row in part.rows]


def rows(count: int, size: int = 10, headers: Headers = ()) -> list[Inbound]:
    return [(0, START_MS + number, b"key-%d" % number, b"%0*d" % (size, number), headers) for number in range(count)]
