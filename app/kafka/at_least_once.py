"""Outputs confirmed before the offsets they were made from are committed: at least once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from app.kafka.clients import RETRY_BACKOFF_MS
from app.kafka.closing import close
from app.kafka.compat import IdempotentProducer
from app.kafka.compat_rows import empty_batch
from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import CLIENT_ERRORS, FENCING, TransactionFailed, failed, root_cause
from app.kafka.transport import BATCH_BYTES
from app.kafka.unconfirmed import Unconfirmed
from app.streams.model import Offset, TopicPartition

CLOSE_WITHIN = 1.0

CommitOffsets = Callable[[Mapping[TopicPartition, Offset], GroupMetadata | None], Awaitable[None]]
"""Raises KafkaError or, when the generation is not the present one, Fenced."""


class AtLeastOnceProducer:
    """A Transport (see there) whose rows are visible as soon as they are written. After a failure some may be there
    whose offsets are not committed, and come again from the next producer: nothing is lost, within one producer's life
    nothing is doubled.
    """

    def __init__(self, producer: IdempotentProducer, commit_offsets: CommitOffsets, within_ms: int) -> None:
        self._producer = producer
        self._commit_offsets = commit_offsets
        self._patience = within_ms / 1000
        self._begun = False
        self._sending = 0
        self._unconfirmed = Unconfirmed()
        self._failure: TransactionFailed | None = None

    @property
    def client(self) -> AIOKafkaClient:
        return self._producer.client

    @property
    def lost(self) -> BaseException | None:
        return self._unconfirmed.error

    def begin(self) -> None:
        self._check(begun=False)
        self._begun = True
        self._unconfirmed.clear()

    def announce(self, partitions: Iterable[TopicPartition], group: GroupMetadata) -> None:
        """Without a transaction nobody has to be told."""

    def create_batch(self, at_most: int | None = None) -> BatchBuilder:
        return empty_batch(self._producer, at_most)

    async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[RecordMetadata]:
        self._check(begun=True)
        if not (records := batch.record_count()):
            raise ValueError("a batch without records")
        batch.close()
        self._sending += 1
        try:
            if self.lost is not None:
                raise self.lost
            async with asyncio.timeout(self._patience):
                confirmed: asyncio.Future[RecordMetadata] = await self._producer.send_batch(
                    batch, topic, partition=partition
                )
        except BaseException as error:
            await self._leave(error, offsets_sent=False)
            raise
        finally:
            self._sending -= 1
        self._unconfirmed.add(TopicPartition(topic, partition), records, confirmed)
        return confirmed

    async def commit(
        self, offsets: Mapping[TopicPartition, Offset], group: GroupMetadata | None
    ) -> dict[TopicPartition, int]:
        """Aborted: the offsets are not committed. OutcomeUnknown: they may be."""
        self._check(begun=True)
        if offsets and group is None:
            raise ValueError("offsets without a group to commit them as")
        if self._sending:
            raise RuntimeError("a batch is being sent: its offsets could be committed without it")
        offsets_sent = False
        try:
            async with asyncio.timeout(self._patience):
                ends = await self._unconfirmed.confirmed(lambda: self.lost)
                if offsets:
                    offsets_sent = True
                    await self._commit_offsets(offsets, group)
        except BaseException as error:
            await self._leave(error, offsets_sent=offsets_sent)
            raise
        self._begun = False
        return ends

    async def abort(self) -> None:
        """What was sent stays; its offsets are not committed."""
        self._check(begun=True)
        try:
            async with asyncio.timeout(self._patience):
                await self._unconfirmed.confirmed(lambda: self.lost)
        except BaseException as error:
            await self._leave(error, offsets_sent=False)
            raise
        self._begun = False

    async def close(self) -> None:
        """In bounded time; what is not confirmed may be lost, and comes again."""
        await self._producer.kill()
        await close(self._producer.stop(), within=CLOSE_WITHIN)

    def _check(self, *, begun: bool) -> None:
        if self._failure is not None:
            raise self._failure
        if self._begun is not begun:
            raise RuntimeError("no transaction has begun" if begun else "the last transaction has not ended")

    async def _leave(self, error: BaseException, *, offsets_sent: bool) -> None:
        """The producer is spent. Raises TransactionFailed for an error of the client's."""
        cause = root_cause(self.lost or error)
        if self._failure is None:
            known = cause if isinstance(cause, TransactionFailed) else None
            unknown = offsets_sent and not isinstance(cause, FENCING)
            self._failure = known or failed(cause, end_unanswered=unknown)
        await self._producer.kill()
        if isinstance(error, CLIENT_ERRORS):
            raise self._failure from cause


@asynccontextmanager
async def at_least_once_producer(
    options: Mapping[str, Any],
    *,
    commit_offsets: CommitOffsets,
    within_ms: int = 30_000,
    batch_bytes: int = BATCH_BYTES,
    compression: str | None = None,
) -> AsyncIterator[AtLeastOnceProducer]:
    """`options` are those of every client. `within_ms` bounds each step: getting ready, queueing a batch, the
    confirmation of all with the commit of the offsets. Raises KafkaError, TimeoutError when it does not get ready.
    """
    client = IdempotentProducer(
        **{"retry_backoff_ms": RETRY_BACKOFF_MS, **options},
        max_batch_size=batch_bytes,
        compression_type=compression,
        linger_ms=0,
    )
    producer = AtLeastOnceProducer(client, commit_offsets, within_ms)
    try:
        async with asyncio.timeout(within_ms / 1000):
            await client.start()
        yield producer
    finally:
        await producer.close()
