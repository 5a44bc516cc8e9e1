"""What the worker asks of a producer, whatever its guarantee."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from app.kafka.group_metadata import GroupMetadata
from app.streams.model import Offset, TopicPartition

BATCH_BYTES = 512 * 1024
"""Before compression. A partition has one batch under way, so this over the round trip is what it can take; beyond it a
producer gets slower, for the batch no longer fits the processor's cache."""


class Transport(Protocol):
    """One transaction at a time: `begin()`, `send_batch()` …, `commit()` or `abort()`; under at-least-once it is only
    the span between two commits of offsets.

    Batches may be made and filled at any time. A TransactionFailed, or a cancellation of `send_batch`, `commit` or
    `abort`, spends the producer: every further call raises TransactionFailed.
    """

    @property
    def client(self) -> AIOKafkaClient:
        """To ask brokers with."""

    @property
    def lost(self) -> BaseException | None:
        """An error for which this transaction can no longer be committed, as soon as it is known."""

    def begin(self) -> None:
        """Raises TransactionFailed, RuntimeError within a transaction."""

    def announce(self, partitions: Iterable[TopicPartition], group: GroupMetadata) -> None:
        """What this transaction will hold: brokers that have to know it are told now, not by the commit."""

    def create_batch(self, at_most: int | None = None) -> BatchBuilder:
        """Takes as much as the producer was told a batch may hold, or so many bytes, and a first row of any size."""

    async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[RecordMetadata]:
        """Returns when it is queued: one batch waits per partition while one is under way. The future, which is not to
        be cancelled, tells when the broker has it. Raises TransactionFailed."""

    async def commit(
        self, offsets: Mapping[TopicPartition, Offset], group: GroupMetadata | None
    ) -> dict[TopicPartition, int]:
        """Every batch confirmed, then the offsets: the offset after our last record for each partition written.

        Raises TransactionFailed: Aborted, OutcomeUnknown or Fenced.
        """

    async def abort(self) -> None:
        """Another transaction may begin. Raises TransactionFailed."""
