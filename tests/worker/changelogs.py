"""Changelogs on a real broker for the tests of restoring, and tasks over states on a real disk."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from app.kafka.clients import client_options
from app.settings.model import KafkaSettings
from app.state import take_slot
from app.streams.config import StreamsConfig
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import raw
from app.streams.stores.specs import KeyValueSpec, StoreSpec
from app.streams.task import Task
from app.streams.topology.processor import Processor
from app.streams.topology.subtopologies import subtopologies
from app.streams.topology.topology import Topology
from app.worker.held import HeldTask, TaskPhase
from app.worker.states import States

TIME = 1_700_000_000_000
COUNTS = KeyValueSpec(name="counts", key=raw, value=raw)


def options(server: str) -> dict[str, Any]:
    return client_options(KafkaSettings(), (server,))


def topology(*specs: StoreSpec, application: str = "app") -> Topology:
    """One sub-topology with these stores, fed from the topic `<application>-input`."""
    made = Topology(StreamsConfig(application_id=application, default_key=raw, default_value=raw))
    made.add_source("source", f"{application}-input")
    made.add_processor("keeper", Processor, "source")
    for spec in specs or (COUNTS,):
        made.add_store(spec, "keeper")
    return made


@dataclass
class Cluster:
    """Topics of a test's own."""

    server: str
    name: str = field(default_factory=lambda: f"restore-{uuid.uuid4().hex[:8]}")

    def create(self, *topics: str, partitions: int = 1, **configs: str) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs) for topic in topics])

    def delete(self, *topics: str) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            admin.delete_topics(list(topics))

    async def write(
        self, where: TopicPartition, rows: Iterable[tuple[bytes | None, bytes | None]], time_ms: int = TIME
    ) -> int:
        """Without a transaction. The end of the log after it."""
        async with AIOKafkaProducer(**options(self.server), max_batch_size=512 * 1024) as producer:
            return await _send(producer, where, rows, time_ms)

    async def transact(
        self, where: TopicPartition, rows: Iterable[tuple[bytes | None, bytes | None]], *, abort: bool = False
    ) -> None:
        async with AIOKafkaProducer(**options(self.server), transactional_id=f"{self.name}-{uuid.uuid4()}") as producer:
            await producer.begin_transaction()
            await _send(producer, where, rows, TIME)
            await (producer.abort_transaction() if abort else producer.commit_transaction())


async def _send(
    producer: AIOKafkaProducer, where: TopicPartition, rows: Iterable[tuple[bytes | None, bytes | None]], time_ms: int
) -> int:
    sent = []
    batch = producer.create_batch()
    for key, value in rows:
        if batch.append(timestamp=time_ms, key=key, value=value, headers=[]) is None:
            sent.append(await producer.send_batch(batch, where.topic, partition=where.partition))
            batch = producer.create_batch()
            batch.append(timestamp=time_ms, key=key, value=value, headers=[])
    if batch.record_count():
        sent.append(await producer.send_batch(batch, where.topic, partition=where.partition))
    metadata = [await each for each in sent]
    await producer.flush()
    return -1 if not metadata else metadata[-1].offset
