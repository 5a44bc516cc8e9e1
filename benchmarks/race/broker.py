"""A real Apache Kafka for one benchmark, and the topics in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_topic import NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from app.broker import Extra, embedded
from app.settings.model import BrokerSettings

PARTITIONS = 4
OFFSETS_PARTITIONS = 4


@asynccontextmanager
async def broker(folder: Path, *, fully_compiled: bool = True) -> AsyncIterator[str]:
    """host:port. With the full compiler, unlike the private broker of a demo, whose short start costs speed; it works
    for minutes on the broker's core, so where milliseconds are looked at it is left out. What was deleted is off the
    disk at once: a minute later, as by default, is within another run, and most of it would have been written out for
    nothing meanwhile."""
    properties = {
        "log.retention.ms": "-1",
        "log.segment.delete.delay.ms": "0",
        "offsets.topic.num.partitions": str(OFFSETS_PARTITIONS),
    }
    extra = Extra(properties=properties, jvm=("-XX:TieredStopAtLevel=4",) if fully_compiled else (), restart=False)
    options = BrokerSettings(data_dir=folder / "kafka", heap_mb=1024)
    async with embedded(options, say=lambda _line: None, extra=extra) as running:
        yield running.address


@asynccontextmanager
async def admin(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def make(servers: str, topics: Iterable[str], configs: Mapping[str, str] | None = None) -> None:
    async with admin(servers) as client:
        await client.create_topics([NewTopic(t, PARTITIONS, 1, topic_configs=dict(configs or {})) for t in topics])


async def drop(servers: str, prefix: str) -> None:
    """All topics whose names begin so."""
    async with admin(servers) as client:
        if found := [topic for topic in await client.list_topics() if topic.startswith(prefix)]:
            await client.delete_topics(found)


async def committed(client: AIOKafkaAdminClient, group: str, topic: str) -> dict[int, int]:
    """Offsets by partition, 0 where there is none yet."""
    try:
        found = await client.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # the first group of all: the broker makes the topic of the offsets
        found = {}
    offsets = {number: found.get(TopicPartition(topic, number)) for number in range(PARTITIONS)}
    return {number: 0 if offset is None else max(0, offset.offset) for number, offset in offsets.items()}
