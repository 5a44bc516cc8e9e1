"""Workers in the test's own event loop, on a real Kafka: topics of a test's own, records in, committed records out."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from app.kafka.clients import client_options, target
from app.kafka.internal_topics import ensure_internal_topics
from app.kafka.link import Link
from app.kafka.purging import Purger
from app.settings.model import KafkaSettings, StreamsSettings
from app.streams import Builder, StreamsConfig, Topology
from app.worker.stay import Employment
from app.worker.worker import Worker

PATIENCE = 30.0

Write = Callable[[Builder, "Site"], None]


@dataclass
class Site:
    """Where one test works: `name` is the application id and begins every topic's name."""

    server: str
    state_dir: Path
    write: Write
    partitions: int = 2
    name: str = field(default_factory=lambda: f"work-{uuid.uuid4().hex[:8]}")
    settings: dict[str, Any] = field(default_factory=dict)

    def topic(self, name: str) -> str:
        return f"{self.name}-{name}"

    def create(self, *names: str, partitions: int | None = None) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            admin.create_topics([NewTopic(self.topic(name), partitions or self.partitions, 1) for name in names])

    @property
    def options(self) -> dict[str, Any]:
        return client_options(KafkaSettings(), (self.server,))

    def topology(self) -> Topology:
        builder = Builder(StreamsConfig(application_id=self.name))
        self.write(builder, self)
        return builder.build()

    def worker(self, state_dir: Path | None = None, **settings: Any) -> Worker:
        topology = self.topology()
        chosen = {"session_timeout_ms": 6_000, **self.settings, **settings}
        streams = StreamsSettings(application_id=self.name, state_dir=state_dir or self.state_dir, **chosen)
        where = target(KafkaSettings(), (self.server,))

        async def prepare() -> Any:
            return await ensure_internal_topics(where, topology)

        return Worker(
            Employment(
                topology=topology,
                settings=streams,
                options=self.options,
                prepare=prepare,
                purger=Purger(where, [topology.topic_name(name) for name in topology.internal]),
                link=_up(self.server),
            )
        )

    async def send(self, topic: str, records: Sequence[tuple[bytes | None, bytes | None]], **rest: Any) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.server, enable_idempotence=True) as producer:
            for key, value in records:
                await producer.send(self.topic(topic), value, key, **rest)

    async def read(self, topic: str, count: int, name: str | None = None) -> list[tuple[Any, Any]]:
        """The first `count` committed records, all partitions; fails when they do not come."""
        return [(key, value) for _, key, value in await self.places(topic, count, name)]

    async def places(self, topic: str, count: int, name: str | None = None) -> list[tuple[int, Any, Any]]:
        """As `read`, with the partition of each."""
        found: list[tuple[int, Any, Any]] = []
        consumer = AIOKafkaConsumer(
            name or self.topic(topic),
            bootstrap_servers=self.server,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        async with consumer:
            until = time.monotonic() + PATIENCE
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.partition, record.key, record.value) for record in records]
                if time.monotonic() > until:
                    raise AssertionError(f"{topic}: {len(found)} of {count} records: {found[:10]}")
        return found


def _up(server: str) -> Link:
    async def reach() -> None:
        return None

    link = Link(server, reach)
    link._up.set()  # noqa: SLF001 - no watch runs: the broker is there
    return link


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """They run while the context is open, and are stopped at its end; what one of them raises is raised here."""
    stops = [asyncio.Event() for _ in workers]
    tasks = [asyncio.create_task(worker.run(stop)) for worker, stop in zip(workers, stops, strict=True)]
    try:
        yield tasks
    finally:
        for stop in stops:
            stop.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*tasks)


async def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"it never came true that {what}")
        await asyncio.sleep(0.02)
