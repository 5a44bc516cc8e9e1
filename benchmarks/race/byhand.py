"""The same three programs on aiokafka alone, whole batches in and out by its public calls: what a framework can cost.

State is a dictionary with a changelog topic, written when the transaction or the offsets are committed. What is not
needed is left out: keys and values of counts are not decoded, nothing is restored, no rebalance is dealt with.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.loop import run

_decode, _encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
BATCH_BYTES = 256 * 1024


class Writer:
    """Rows into batches; an output keeps the partition of its input, as the keys do not change."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[TopicPartition, Any] = {}
        self._sent: list[asyncio.Future[Any]] = []

    async def write(self, topic: str, partition: int, rows: list[tuple[bytes, bytes, int]]) -> None:
        to = TopicPartition(topic, partition)
        batch = self._open.get(to) or self._producer.create_batch()
        for key, value, timestamp in rows:
            if batch.append(key=key, value=value, timestamp=timestamp) is None:
                self._sent.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=timestamp)
        self._open[to] = batch

    async def flush(self) -> None:
        for to, batch in self._open.items():
            if batch.record_count():
                self._sent.append(await self._producer.send_batch(batch, to.topic, partition=to.partition))
        self._open.clear()
        await asyncio.gather(*self._sent)
        self._sent.clear()


class Program:
    """One shape: input rows to output rows, and the changed rows of its state."""

    def __init__(self, shape: str, window: int) -> None:
        self.take = {"stateless": self._stateless, "count": self._count, "window": self._window}[shape]
        self._window_ms = window
        self._counts: dict[bytes, int] = defaultdict(int)
        self.changed: dict[int, dict[bytes, tuple[bytes, int]]] = defaultdict(dict)

    def _stateless(self, _partition: int, records: list[Any]) -> list[tuple[bytes, bytes, int]]:
        rows = []
        for record in records:
            value = _decode(record.value)
            if value["n"] % 10 != 9:
                rows.append((record.key, _encode({**value, "name": "seen"}), record.timestamp))
        return rows

    def _count(self, partition: int, records: list[Any]) -> list[tuple[bytes, bytes, int]]:
        counts, changed, rows = self._counts, self.changed[partition], []
        for record in records:
            key, timestamp = record.key, record.timestamp
            total = counts[key] = counts[key] + 1
            value = total.to_bytes(8, "big")
            changed[key] = value, timestamp
            rows.append((key, value, timestamp))
        return rows

    def _window(self, partition: int, records: list[Any]) -> list[tuple[bytes, bytes, int]]:
        counts, changed, rows, window = self._counts, self.changed[partition], [], self._window_ms
        for record in records:
            timestamp = record.timestamp
            key = record.key + (timestamp - timestamp % window).to_bytes(8, "big")
            total = counts[key] = counts[key] + 1
            value = total.to_bytes(8, "big")
            changed[key] = value, timestamp
            rows.append((key, value, timestamp))
        return rows


class Loop:
    def __init__(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, *, exactly_once: bool) -> None:
        self._consumer, self._producer, self._exactly_once = consumer, producer, exactly_once
        self._writer = Writer(producer)
        self._offsets: dict[TopicPartition, int] = {}

    async def run(self, program: Program, stop: asyncio.Event) -> None:
        every = int(os.environ["RACE_COMMIT_MS"]) / 1000
        while not stop.is_set():
            if self._exactly_once:
                await self._producer.begin_transaction()
            until = time.monotonic() + every
            while time.monotonic() < until and not stop.is_set():
                for partition, records in (await self._consumer.getmany(timeout_ms=100)).items():
                    rows = program.take(partition.partition, records)
                    await self._writer.write(os.environ["RACE_OUTPUT"], partition.partition, rows)
                    self._offsets[partition] = records[-1].offset + 1
            await self._commit(program)

    async def _commit(self, program: Program) -> None:
        group = os.environ["RACE_GROUP"]
        for number, changed in program.changed.items():
            rows = [(key, value, timestamp) for key, (value, timestamp) in changed.items()]
            await self._writer.write(f"{group}-changelog", number, rows)
            changed.clear()
        await self._writer.flush()
        if self._exactly_once:
            if self._offsets:
                await self._producer.send_offsets_to_transaction(self._offsets, group)
            await self._producer.commit_transaction()
        elif self._offsets:
            await self._consumer.commit(self._offsets)
        self._offsets = {}


async def main() -> None:
    servers, group = os.environ["RACE_SERVERS"], os.environ["RACE_GROUP"]
    exactly_once = os.environ["RACE_GUARANTEE"] == "exactly_once_v2"
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = AIOKafkaConsumer(
        os.environ["RACE_INPUT"],
        bootstrap_servers=servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed" if exactly_once else "read_uncommitted",
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        transactional_id=group if exactly_once else None,
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        max_request_size=8 * BATCH_BYTES,
    )
    async with AsyncExitStack() as stack:
        for client in (consumer, producer):
            await client.start()
            stack.push_async_callback(client.stop)
        program = Program(os.environ["RACE_SHAPE"], int(os.environ["RACE_WINDOW"]))
        await Loop(consumer, producer, exactly_once=exactly_once).run(program, stop)


if __name__ == "__main__":
    run(main())
