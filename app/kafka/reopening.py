"""A producer that is opened when first needed, and anew after an error that leaves it useless."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from app.kafka.closing import close
from app.kafka.compat import dead_tasks
from app.kafka.link import Link

CLOSE_WITHIN = 1.0

OpenProducer = Callable[[], AIOKafkaProducer]
Prepare = Callable[[], Awaitable[object]]
"""Sees to the topics before a client opens."""


class Reopening:
    """At most one started producer at a time."""

    def __init__(self, open_producer: OpenProducer, prepare: Prepare, link: Link) -> None:
        self._open_producer = open_producer
        self._prepare = prepare
        self.link = link
        self._producer: AIOKafkaProducer | None = None

    async def opened(self) -> AIOKafkaProducer:
        """Waits for the link. Raises KafkaError."""
        if self._producer is None:
            await self.link.wait_up()
            await self._prepare()
            producer = self._open_producer()
            try:
                await producer.start()
            except BaseException:
                await close(producer.stop(), within=CLOSE_WITHIN)
                raise
            self._producer = producer
        return self._producer

    async def close(self) -> None:
        """In bounded time; `opened()` opens another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer.stop(), within=CLOSE_WITHIN)

    @property
    def started(self) -> bool:
        return self._producer is not None

    @property
    def dead(self) -> list[str]:
        """Background tasks of the client that have died."""
        return dead_tasks(self._producer) if self._producer else []


@asynccontextmanager
async def reopening(open_producer: OpenProducer, prepare: Prepare, link: Link) -> AsyncIterator[Reopening]:
    client = Reopening(open_producer, prepare, link)
    try:
        yield client
    finally:
        await client.close()
