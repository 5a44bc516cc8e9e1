"""The topics of one application: made, filled, read."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_topic import NewTopic

from tests.takeover.expected import Sent

PARTITIONS = 3
SIDES, OUTPUTS = ("left", "right"), ("counts", "windows", "pairs")
WITHIN_S = 60.0


class Topics:
    """`name` is the application's; reading takes committed records only."""

    def __init__(self, servers: str, name: str) -> None:
        self.servers, self.name = servers, name

    async def make(self) -> None:
        async with self._admin() as admin:
            await admin.create_topics([NewTopic(f"{self.name}.{each}", PARTITIONS, 1) for each in (*SIDES, *OUTPUTS)])

    async def send(self, records: Iterable[Sent]) -> None:
        """In order, each side to the partition of its key, as Java chooses it."""
        async with AIOKafkaProducer(bootstrap_servers=self.servers, enable_idempotence=True) as producer:
            for side, key, value, timestamp in records:
                await producer.send(f"{self.name}.{side}", value.encode(), key.encode(), timestamp_ms=timestamp)

    async def internal(self) -> set[str]:
        """Names of the topics that engines made, without the application's."""
        async with self._admin() as admin:
            prefix = f"{self.name}-"
            return {topic.removeprefix(prefix) for topic in await admin.list_topics() if topic.startswith(prefix)}

    async def committed(self) -> Mapping[TopicPartition, OffsetAndMetadata]:
        async with self._admin() as admin:
            offsets: Mapping[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(self.name)
            return offsets

    async def group_is_empty(self) -> None:
        """Waits until the last member has left: at once, if it says so."""
        until = time.monotonic() + WITHIN_S
        async with self._admin() as admin:
            while (state := (await admin.describe_consumer_groups([self.name]))[0].groups[0][2]) != "Empty":
                assert time.monotonic() < until, f"the group is still {state}"
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """All of a topic."""
        reader = Reader(self.servers, (topic,))
        async with reader:
            await reader.end()
        return reader.records


class Reader:
    """Collects topics from their beginning."""

    def __init__(self, servers: str, topics: tuple[str, ...]) -> None:
        self.records: list[ConsumerRecord] = []
        self._topics = topics
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, auto_offset_reset="earliest", isolation_level="read_committed"
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign([TopicPartition(topic, number) for topic in self._topics for number in range(PARTITIONS)])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def until(self, count: int, check: Callable[[], None]) -> None:
        """Reads on until so many records are there; `check` is asked now and then whether it can still come."""
        until = time.monotonic() + WITHIN_S
        while len(self.records) < count:
            await self._take(200)
            check()
            assert time.monotonic() < until, f"only {len(self.records)} of {count} records came"

    async def end(self) -> None:
        """Reads to the end as it is now, control records passed."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        until = time.monotonic() + WITHIN_S
        for partition, end in ends.items():
            while await self._consumer.position(partition) < end:
                await self._take(50)
                assert time.monotonic() < until, f"{partition} does not end"

    async def _take(self, timeout_ms: int) -> None:
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            self.records += records
