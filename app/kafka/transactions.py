"""Transactions that hold the outputs of a process and the offsets they were made from, exactly once (KIP-447)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from app.kafka.clients import RETRY_BACKOFF_MS
from app.kafka.closing import close
from app.kafka.compat import Kip447Producer
from app.kafka.compat_rows import empty_batch
from app.kafka.failpoints import Failpoint, Step, passes
from app.kafka.failures import describe
from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import CLIENT_ERRORS, TransactionFailed, failed, root_cause
from app.kafka.transport import BATCH_BYTES
from app.kafka.unconfirmed import Unconfirmed
from app.streams.model import Offset, TopicPartition

log = logging.getLogger(__name__)

CLOSE_WITHIN = 1.0
ABORT_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class TransactionOptions:
    transactional_id: str
    """Stable over restarts: the next producer with it settles what this one left open."""
    timeout_ms: int = 10_000
    """After which the broker aborts a transaction whose producer is gone; also how long a step of ours may take."""
    batch_bytes: int = BATCH_BYTES
    compression: str | None = None
    failpoint: Failpoint = passes


class TransactionalProducer:
    """One transaction at a time: `begin()`, `send_batch()` …, `commit()` or `abort()`.

    Batches may be made and filled at any time, also while a commit is under way, and are sent after the next `begin()`.
    A TransactionFailed, or a cancellation of `send_batch`, `commit` or `abort`, spends the producer: every further call
    raises TransactionFailed.
    """

    def __init__(self, producer: Kip447Producer, options: TransactionOptions) -> None:
        self._producer = producer
        self._patience = options.timeout_ms / 1000
        self._reached = options.failpoint
        self._begun = False
        self._sending = 0
        self._unconfirmed = Unconfirmed()
        self._lost: BaseException | None = None
        self._failure: TransactionFailed | None = None
        producer.on_end_sent(options.failpoint)

    @property
    def client(self) -> AIOKafkaClient:
        """For `fence` and `stable_offsets`."""
        return self._producer.client

    @property
    def begun(self) -> bool:
        return self._begun

    @property
    def lost(self) -> BaseException | None:
        """An error for which this transaction can no longer be committed, as soon as it is known."""
        self._lost = self._lost or self._unconfirmed.error
        if self._lost is None and self._begun and self._producer.ended.done():
            self._lost = self._producer.ended.exception()
        return self._lost

    def begin(self) -> None:
        """Raises TransactionFailed, RuntimeError within a transaction."""
        self._check(begun=False)
        self._reached(Step.BEFORE_BEGIN)
        self._producer.begin()
        self._begun = True
        self._unconfirmed.clear()
        self._producer.ended.add_done_callback(self._unconfirmed.wake)
        self._reached(Step.BEGUN)

    def announce(self, partitions: Iterable[TopicPartition], group: GroupMetadata) -> None:
        """The commit then waits for two answers less."""
        self._check(begun=True)
        if self.lost is None:
            self._producer.announce(partitions, group.group)

    def create_batch(self, at_most: int | None = None) -> BatchBuilder:
        """`append(timestamp=, key=, value=, headers=)` with milliseconds and a list of headers; None: it is full."""
        return empty_batch(self._producer, at_most)

    async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> "asyncio.Future[RecordMetadata]":
        """Returns when it is queued: one batch waits per partition while one is under way. The future, which is not to
        be cancelled, tells when the broker has it. Raises TransactionFailed."""
        self._check(begun=True)
        if not (records := batch.record_count()):
            raise ValueError("a batch without records")
        batch.close()
        self._sending += 1
        try:
            if self.lost is not None:
                raise self.lost
            self._reached(Step.BEFORE_SEND)
            async with asyncio.timeout(self._patience):
                confirmed: asyncio.Future[RecordMetadata] = await self._producer.send_batch(
                    batch, topic, partition=partition
                )
        except BaseException as error:
            await self._leave(error)
            raise
        finally:
            self._sending -= 1
        self._unconfirmed.add(TopicPartition(topic, partition), records, confirmed)
        self._reached(Step.SENT)
        return confirmed

    async def commit(
        self, offsets: Mapping[TopicPartition, Offset], group: GroupMetadata | None
    ) -> dict[TopicPartition, int]:
        """The offset after our last record, for each partition that was written (the marker not counted).

        `offsets` are those of the next records to read, with text kept beside them, and take a group. Bounded by the
        transaction's time-out. Raises TransactionFailed: Aborted, OutcomeUnknown or Fenced.
        """
        self._check(begun=True)
        if offsets and group is None:
            raise ValueError("offsets without a group that fences them")
        if self._sending:
            raise RuntimeError("a batch is being sent: it would belong to no transaction or to the next")
        try:
            async with asyncio.timeout(self._patience):
                ends = await self._unconfirmed.confirmed(lambda: self.lost)
                self._reached(Step.CONFIRMED)
                # Not beside the batches: a broker that verifies both at once refuses one, for 100 ms.
                if group is not None and offsets:
                    await self._producer.send_offsets_to_transaction(offsets, group)
                self._reached(Step.OFFSETS_HELD)
                await self._producer.commit_transaction()
        except BaseException as error:
            await self._leave(error)
            raise
        self._begun = False
        self._reached(Step.END_ANSWERED)
        return ends

    async def abort(self) -> None:
        """Another transaction may begin. Raises TransactionFailed where only another producer can settle it."""
        self._check(begun=True)
        try:
            async with asyncio.timeout(self._patience):
                # aiokafka would deliver what is queued, without a bound.
                await self._unconfirmed.confirmed(lambda: self.lost)
                await self._producer.abort_transaction()
        except BaseException as error:
            await self._leave(error)
            raise
        self._begun = False

    async def close(self) -> None:
        """In bounded time. A transaction that is open is aborted, by us or by the next producer with this id."""
        if self._begun and self._failure is None and self.lost is None:
            try:
                async with asyncio.timeout(ABORT_WITHIN):
                    await self.abort()
            except (TransactionFailed, TimeoutError) as error:
                log.debug("left open: %s", describe(error))
        await self._producer.kill()
        await close(self._producer.stop(), within=CLOSE_WITHIN)

    def _check(self, *, begun: bool) -> None:
        if self._failure is not None:
            raise self._failure
        if self._begun is not begun:
            raise RuntimeError("no transaction has begun" if begun else "the last transaction has not ended")

    async def _leave(self, error: BaseException) -> None:
        """The producer is spent. Raises TransactionFailed for an error of the client's."""
        cause = self._lost = root_cause(self.lost or error)
        try:
            await self._producer.kill()
        finally:
            # Only now is it certain what was sent.
            if self._failure is None:
                self._failure = failed(cause, end_unanswered=self._producer.end_unanswered)
        if isinstance(error, CLIENT_ERRORS):
            raise self._failure from cause


@asynccontextmanager
async def transactional_producer(
    options: Mapping[str, Any], transaction: TransactionOptions
) -> AsyncIterator[TransactionalProducer]:
    """Fences its predecessor and waits for the end of what that left open. `options` are those of every client.

    Raises KafkaError, or TimeoutError when it takes longer than the transaction's time-out.
    """
    client = Kip447Producer(
        **{"retry_backoff_ms": RETRY_BACKOFF_MS, **options},
        transactional_id=transaction.transactional_id,
        transaction_timeout_ms=transaction.timeout_ms,
        max_batch_size=transaction.batch_bytes,
        compression_type=transaction.compression,
        linger_ms=0,
    )
    producer = TransactionalProducer(client, transaction)
    try:
        async with asyncio.timeout(transaction.timeout_ms / 1000):
            await client.start()
        yield producer
    finally:
        await producer.close()
