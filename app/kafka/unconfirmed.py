"""Batches of one transaction from the moment they are queued: which the broker has, and how far our writes reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from aiokafka.errors import BrokerResponseError
from aiokafka.structs import RecordMetadata

from app.streams.model import TopicPartition


class Unconfirmed:
    """Every batch is looked at: aiokafka commits transactions of which a batch has failed."""

    def __init__(self) -> None:
        self._count = 0
        self._news = asyncio.Event()
        self._ends: dict[TopicPartition, int] = {}
        self.error: BaseException | None = None
        """Of the first batch that failed."""

    def clear(self) -> None:
        """For the next transaction, when all of this one are confirmed."""
        self._ends = {}

    def add(self, partition: TopicPartition, records: int, confirmed: asyncio.Future[RecordMetadata]) -> None:
        self._count += 1
        confirmed.add_done_callback(partial(self._settled, partition, records))

    def wake(self, _: object = None) -> None:
        """Something else than a batch may have failed."""
        self._news.set()

    async def confirmed(self, lost: Callable[[], BaseException | None]) -> dict[TopicPartition, int]:
        """Waits for every batch: the offset after our last record, for each partition. Raises what `lost` tells."""
        while self._count and lost() is None:
            self._news.clear()
            await self._news.wait()
        if (error := lost()) is not None:
            raise error
        return dict(self._ends)

    def _settled(self, partition: TopicPartition, records: int, confirmed: asyncio.Future[RecordMetadata]) -> None:
        self._count -= 1
        error = asyncio.CancelledError() if confirmed.cancelled() else confirmed.exception()
        if error is None:
            base = confirmed.result().offset
            if base >= 0:  # a broker that has forgotten a repeated batch says only that it has it
                self._ends[partition] = base + records
        elif self.error is None:
            if isinstance(error, BrokerResponseError) and not error.args:
                error.args = (f"{partition.topic}-{partition.partition}",)  # aiokafka does not say where
            self.error = error
        self._news.set()
