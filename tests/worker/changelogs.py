"""Changelogs on a real broker for the tests of restoring, and tasks over states on a real disk."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from app.kafka.changelogs import ChangelogReader, changelog_reader
from app.kafka.clients import client_options
from app.settings.model import KafkaSettings
from app.streams.config import StreamsConfig
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import raw
from app.streams.stores.specs import KeyValueSpec, StoreSpec
from app.streams.task import Task
from app.streams.topology.processor import Processor
from app.streams.topology.subtopologies import subtopologies
from app.streams.topology.topology import Topology
from app.worker.held import HeldTask, TaskPhase
from app.worker.restoring import Restorer
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
    ) -> None:
        """Without a transaction."""
        async with AIOKafkaProducer(**options(self.server), max_batch_size=512 * 1024) as producer:
            await _send(producer, where, rows, time_ms)

    async def transact(
        self, where: TopicPartition, rows: Iterable[tuple[bytes | None, bytes | None]], *, abort: bool = False
    ) -> None:
        async with AIOKafkaProducer(**options(self.server), transactional_id=f"{self.name}-{uuid.uuid4()}") as producer:
            await producer.begin_transaction()
            await _send(producer, where, rows, TIME)
            await (producer.abort_transaction() if abort else producer.commit_transaction())


def changelog(cluster: Cluster, made: Topology, store: str = "counts", partitions: int = 1) -> TopicPartition:
    """Makes it; its partition 0."""
    cluster.create(made.changelog(store), partitions=partitions)
    return TopicPartition(made.changelog(store), 0)


async def _send(
    producer: AIOKafkaProducer, where: TopicPartition, rows: Iterable[tuple[bytes | None, bytes | None]], time_ms: int
) -> None:
    sent = []
    batch = producer.create_batch()
    for key, value in rows:
        if batch.append(timestamp=time_ms, key=key, value=value, headers=[]) is None:
            sent.append(await producer.send_batch(batch, where.topic, partition=where.partition))
            batch = producer.create_batch()
            batch.append(timestamp=time_ms, key=key, value=value, headers=[])
    if batch.record_count():
        sent.append(await producer.send_batch(batch, where.topic, partition=where.partition))
    for each in sent:
        await each


def held(made: Topology, states: States, task: TaskId) -> HeldTask:
    """As the worker makes it of an open state."""
    part = next(each for each in subtopologies(made) if each.number == task.subtopology)
    living = Task(made, part, task, partitions=lambda _: None, bases=states.bases(task))
    changelogs = {store: TopicPartition(made.changelog(store), task.partition) for store in part.stores(made)}
    return HeldTask(task, living, (), changelogs, TaskPhase.RESTORING)


async def opened(made: Topology, states: States, task: TaskId, topic_id: str = "") -> HeldTask:
    part = next(each for each in subtopologies(made) if each.number == task.subtopology)
    await states.open(task, part, dict.fromkeys(part.stores(made), topic_id))
    return held(made, states, task)


def rows_of(kept: HeldTask, store: str = "counts") -> dict[bytes, bytes]:
    """Of a key-value store."""
    return dict(kept.task.stores[store].all())


async def until(condition: Callable[[], bool], what: str, within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def restoring(server: str, states: States, **rest: Any) -> AsyncIterator[tuple[Restorer, ChangelogReader]]:
    """A restorer that runs as long as the block."""
    async with changelog_reader(options(server), committed=True) as reader:
        restorer = Restorer(reader, states, **rest)
        running = asyncio.ensure_future(restorer.run())
        try:
            yield restorer, reader
            assert not running.done(), running.exception()
        finally:
            running.cancel()
            await asyncio.wait({running})
