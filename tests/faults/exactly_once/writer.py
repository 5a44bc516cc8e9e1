"""Writes the numbered inputs at a steady rate, each record once."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.kafka.closing import close
from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.inputs import Numbered, Numbering, closing_keys

TICK_S: Final = 0.05
AGAIN_AFTER_S: Final = 0.2
STOP_WITHIN_S: Final = 10.0
"""A client without a broker may never come to its end; then it is left behind."""
CLOSING_MS: Final = 60_000
"""How far behind the last input the records lie that close its windows."""


class Writer:
    """written: of each input, by our own count. A record whose fate is unknown is not written again: numbers may be
    missing from an input, which is as good an input."""

    def __init__(self, server: str, names: of.Names, numbering: Numbering) -> None:
        self._server = server
        self._names = names
        self._rate = numbering.rate
        self._rows: dict[str, Iterator[Numbered]] = {side: numbering.records(side) for side in of.INPUTS}
        self._began = int(time.time() * 1000)
        self._latest = 0
        self.written = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(KafkaError):  # a producer that failed is replaced
                async with self._producer() as producer:
                    await self._run(producer, stop)
            with suppress(TimeoutError):  # the broker may be away
                await asyncio.wait_for(stop.wait(), AGAIN_AFTER_S)

    async def close_windows(self) -> None:
        """One more record to each left partition, far behind all others."""
        closing = msgspec.json.encode(of.Event(self.written, 0, 1))
        self._latest += CLOSING_MS
        rows = [
            Numbered(number, key, closing.replace(b'"source":0', b'"source":%d' % number), self._latest)
            for number, key in enumerate(closing_keys())
        ]
        async with self._producer() as producer:
            await self._send(producer, of.LEFT, rows)
        self.written += 1

    async def _run(self, producer: AIOKafkaProducer, stop: asyncio.Event) -> None:
        began, before = time.monotonic(), self.written
        while not stop.is_set():
            due = int((time.monotonic() - began) * self._rate) + before - self.written
            if due > 0:
                # Never a flood after an outage.
                due = min(due, self._rate)
                self.written += due
                for side, source in self._rows.items():
                    await self._send(producer, side, [next(source) for _ in range(due)])
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_S)

    async def _send(self, producer: AIOKafkaProducer, side: str, rows: Iterable[Numbered]) -> None:
        by_partition: dict[int, list[Numbered]] = defaultdict(list)
        for row in rows:
            by_partition[row.partition].append(row)
            self._latest = max(self._latest, row.timestamp)
        confirmed = []
        for partition, part in by_partition.items():
            batch = producer.create_batch()
            for row in part:
                at = self._began + row.timestamp
                batch.append(timestamp=at, key=row.key, value=row.value, headers=list(row.headers))
            confirmed.append(await producer.send_batch(batch, self._names.topic(side), partition=partition))
        for each in confirmed:
            await each

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._server,
            enable_idempotence=True,
            acks="all",
            max_batch_size=900_000,
            request_timeout_ms=60_000,
            retry_backoff_ms=100,
        )
        try:
            await producer.start()
            yield producer
        finally:
            await close(producer.stop(), within=STOP_WITHIN_S)
