"""Records at a steady pace, and an observer who notes when what comes of them can be seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from app.streams.hashing import partition_for
from benchmarks.race.broker import PARTITIONS, make
from benchmarks.race.instance import Setup
from benchmarks.race.load import key_of, value_of
from benchmarks.race.outputs import WrongResult

TICK_S: Final = 0.002
LOG_APPEND: Final = {"message.timestamp.type": "LogAppendTime"}


class Seen(NamedTuple):
    """An output: ms since the epoch when it was seen, and when the broker appended the record it comes of."""

    at: float
    timestamp: int
    partition: int


class Observer:
    """Reads committed outputs only. counting: each key's must be 1, 2, 3 …, with nothing lost or doubled.
    keep: all of them in `seen`; else they are only counted."""

    def __init__(self, *, counting: bool = True, keep: bool = True) -> None:
        self.seen: list[Seen] = []
        self.total = 0
        self.newest = [0] * PARTITIONS
        """The latest append time of a record whose output was seen, by partition."""
        self._counting, self._keep = counting, keep
        self._counts: dict[bytes, int] = {}

    async def run(self, servers: str, topic: str) -> None:
        """Ends only when it is cancelled. Raises WrongResult where a count is not the one before plus one."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, auto_offset_reset="earliest", isolation_level="read_committed"
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            while True:
                fetched = await consumer.getmany(timeout_ms=1_000)
                now = time.time() * 1000
                for records in fetched.values():
                    for record in records:
                        self._take(now, record)
        finally:
            await consumer.stop()

    def _take(self, now: float, record: ConsumerRecord) -> None:
        self.total += 1
        self.newest[record.partition] = max(self.newest[record.partition], record.timestamp)
        if self._keep:
            self.seen.append(Seen(now, record.timestamp, record.partition))
        if self._counting:
            before = self._counts.get(record.key, 0)
            number = self._counts[record.key] = int.from_bytes(record.value, "big")
            if number != before + 1:
                raise WrongResult(f"{record.key!r} counts {number} after {before}")

    async def all_partitions(self, since: int, within_s: float) -> None:
        """Waits until every partition has an output of a record appended later than `since`; raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while min(self.newest) <= since:  # noqa: ASYNC110  # a figure, not a test
                await asyncio.sleep(TICK_S)


async def prepare(servers: str, source: str, target: str) -> None:
    """The input's times are the broker's, at append; the output's are those of the records they come of."""
    await make(servers, [source], LOG_APPEND)
    await make(servers, [target])


async def send(servers: str, topic: str, rate: int, keys: int) -> None:
    """`rate` records a second over `keys` keys, until it is cancelled."""
    partition_of: dict[bytes, int] = {}
    producer = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, linger_ms=0)
    await producer.start()
    try:
        sent, begin = 0, time.monotonic()
        while True:
            due = int((time.monotonic() - begin) * rate)
            for number in range(sent, due):
                key = key_of(number, keys)
                if (partition := partition_of.get(key)) is None:
                    partition = partition_of[key] = partition_for(key, PARTITIONS)
                await producer.send(topic, value_of(number), key, partition=partition)
            sent = due
            await asyncio.sleep(TICK_S)
    finally:
        await producer.stop()


@asynccontextmanager
async def traffic(setup: Setup, observer: Observer, rate: int, keys: int) -> AsyncIterator[None]:
    """A sender to the input and the observer run while the context is open; the first that fails ends it."""
    async with pair(setup.servers, (setup.input, setup.output), observer, rate, keys):
        yield


@asynccontextmanager
async def pair(servers: str, topics: tuple[str, str], observer: Observer, rate: int, keys: int) -> AsyncIterator[None]:
    """The same with the two topics named: what is sent to, what is observed."""
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(send(servers, topics[0], rate, keys)),
            group.create_task(observer.run(servers, topics[1])),
        ]
        yield
        for task in running:
            task.cancel()
