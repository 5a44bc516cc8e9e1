"""Rows straight out of fetched record batches and into those to be sent; the rest of `compat`.

aiokafka makes an object of eleven fields for each record it hands out. Here its fetcher stays as it is, and what it has
buffered is taken batch by batch, with the same checks and in the same order as its own PartitionRecords does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState, TopicPartitionState
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, KafkaError, NoOffsetForPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.util import NO_EXTENSIONS

from app.kafka.compat import requires, takes
from app.streams.model import Inbound

if NO_EXTENSIONS:
    raise ImportError("AIOKAFKA_NO_EXTENSIONS: in Python alone a record takes a hundred times as long to parse")

requires(
    Fetcher, "_records", "_wait_consume_future", "_fetch_waiters", "_fetch_task", "_create_fetch_waiter", "_notify"
)
requires(Fetcher, "_subscriptions", "_isolation_level", "_closed")
requires(FetchResult, "check_assignment", "_partition_records", "_update_position", "has_more")
requires(FetchError, "_error")
requires(PartitionRecords, "_records", "_check_crcs", "_isolation_level", "_aborted_producers", "next_fetch_offset")
requires(PartitionRecords, "_consume_aborted_up_to")
requires(SubscriptionState, "reassignment_in_progress", "fetch_context", "_subscription")
requires(TopicPartitionState, "highwater", "lso", "_position", "has_valid_position", "position")
requires(AIOKafkaConsumer, "_fetcher", "_coordinator", "_subscription")
requires(AIOKafkaProducer, "_message_accumulator", "_txn_manager")
requires(MessageAccumulator, "_batch_size", "_compression_type")
takes(BatchBuilder.__init__, "batch_size", "compression_type", "is_transactional", "key_serializer", "value_serializer")
requires(BatchBuilder, "_builder", "_relative_offset", "_closed", "_key_serializer")
takes(FetchResult.check_assignment, "tp")
takes(FetchError.__init__, "error", "backoff")
takes(PartitionRecords._consume_aborted_up_to, "batch_offset")

Append = Callable[[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]], object | None]
"""(number within the batch, timestamp in ms, key, value, headers) → None: it is full. A first row always fits."""


Taken = tuple[TopicPartition, list[Inbound], int]
"""Of one partition: the rows of whole batches, and the position of the next record to read."""


class Buffers:
    """What the fetcher of one started consumer holds for us."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._fetcher: Fetcher = consumer._fetcher
        self._coordinator = consumer._coordinator
        self._subscription: SubscriptionState = consumer._subscription

    def check(self) -> None:
        """Raises KafkaError when nothing will ever arrive any more, or the coordinator has refused us."""
        if self._fetcher._closed:
            raise ConsumerStoppedError
        if self._fetcher._fetch_task.done():
            raise KafkaError("the task that fetches has ended")
        self._coordinator.check_errors()

    def error(self, partitions: Collection[tuple[str, int]]) -> tuple[TopicPartition, Exception] | None:
        """The first that is kept for one of them; it is forgotten, so that the partition is asked for again. That a
        partition was not sought yet is none, and is kept until it is."""
        for partition, result in self._fetcher._records.items():
            if type(result) is FetchError and partition in partitions:
                if isinstance(result._error, NoOffsetForPartitionError):
                    continue
                self._drop(partition)
                return partition, result._error
        return None

    def take(self, partitions: Collection[tuple[str, int]], max_batches: int, max_rows: int) -> list[Taken]:
        """At most `max_batches` of each, and none after `max_rows` of all. Those that gave most recently come last.

        A corrupt batch ends its partition's: it is an error when it is come to again, and others keep what they have.
        """
        if self._subscription.reassignment_in_progress:
            return []  # what is buffered may be another's by now
        with self._subscription.fetch_context():
            pass  # tells the heartbeat that somebody reads: max.poll.interval.ms
        taken: list[Taken] = []
        for partition in [known for known in self._fetcher._records if known in partitions]:
            if max_rows <= 0:
                break
            if (found := self._take(partition, max_batches, max_rows)) is not None:
                taken.append(found)
                max_rows -= len(found[1])
        return taken

    async def arrival(self, seconds: float) -> None:
        """Of anything, at most so long. Raises KafkaError where the group's coordinator has refused us."""
        waiter = self._fetcher._create_fetch_waiter()
        try:
            await asyncio.wait([waiter], timeout=seconds)
            if waiter.done():
                waiter.result()
        finally:
            waiter.cancel()

    def position(self, partition: tuple[str, int]) -> int | None:
        state = self._state(partition)
        return state.position if state is not None and state.has_valid_position else None

    def end(self, partition: tuple[str, int]) -> int | None:
        if (state := self._state(partition)) is None:
            return None
        end: int | None = state.lso if self._fetcher._isolation_level == READ_COMMITTED else state.highwater
        return end

    def _state(self, partition: tuple[str, int]) -> TopicPartitionState | None:
        subscription = self._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return None
        return subscription.assignment.state_value(partition)

    def _take(self, partition: TopicPartition, max_batches: int, max_rows: int) -> Taken | None:
        fetcher = self._fetcher
        result = fetcher._records[partition]
        if type(result) is not FetchResult:
            return None  # an error that was found meanwhile: the next call's
        if not result.check_assignment(partition):
            self._drop(partition)
            return None
        source = result._partition_records
        before: int = source.next_fetch_offset
        rows: list[Inbound] = []
        try:
            if read(source, rows, max_batches, max_rows):
                fetcher._records.move_to_end(partition)
            else:
                self._drop(partition)
        except Exception as error:  # noqa: BLE001  # whatever a parser raises; it is raised when it is come to again
            fetcher._records[partition] = FetchError(error=error, backoff=0)
        result._update_position()
        position: int = source.next_fetch_offset
        return (partition, rows, position) if position > before else None

    def _drop(self, partition: TopicPartition) -> None:
        del self._fetcher._records[partition]
        self._fetcher._notify(self._fetcher._wait_consume_future)


def read(source: PartitionRecords, rows: list[Inbound], max_batches: int, max_rows: int) -> bool:
    """Appends the rows of whole batches; whether more are buffered. As PartitionRecords._unpack_records."""
    records, committed = source._records, source._isolation_level == READ_COMMITTED
    while records.has_next():
        if max_batches <= 0 or len(rows) >= max_rows:
            return True
        batch = records.next_batch()
        if source._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("the checksum of a batch is wrong")
        if not (_aborted(source, batch) if committed else batch.is_control_batch):
            fresh = _rows(batch)
            if fresh and fresh[0][0] < source.next_fetch_offset:  # a batch is sent whole, from wherever we began
                fresh = [row for row in fresh if row[0] >= source.next_fetch_offset]
            rows += fresh
            max_batches -= 1
        # Also after compaction took the last records of a batch: else it would be fetched for ever.
        source.next_fetch_offset = max(source.next_fetch_offset, batch.next_offset)
    return False


def _aborted(source: PartitionRecords, batch: Any) -> bool:
    """Whether a batch holds nothing for a reader of what was committed; keeps account of the open aborts."""
    if batch.producer_id is not None:
        source._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and _ends_abort(batch):
            # It may come without any batch of its producer.
            source._aborted_producers.discard(batch.producer_id)
        elif batch.is_transactional and batch.producer_id in source._aborted_producers:
            return True
    return bool(batch.is_control_batch)


def _ends_abort(control: Any) -> bool:
    """Not by aiokafka's check: it takes the empty batch that compaction leaves of a marker for an error."""
    for record in control:
        return bool(ControlRecord.parse(record.key) == ABORT_MARKER)
    return False


def _rows(batch: Any) -> list[Inbound]:
    return [
        (record.offset, record.timestamp, record.key, record.value, tuple(found) if (found := record.headers) else ())
        for record in batch
    ]


def empty_batch(producer: AIOKafkaProducer, at_most: int | None) -> BatchBuilder:
    """As the producer makes them, of no more bytes than `at_most`, but for a first row of any size."""
    if at_most is None:
        return producer.create_batch()
    batches, transactions = producer._message_accumulator, producer._txn_manager
    transactional = transactions is not None and transactions.transactional_id is not None
    return BatchBuilder(min(batches._batch_size, at_most), batches._compression_type, is_transactional=transactional)


def appender(batch: BatchBuilder) -> Append:
    """Fills a batch without the call in between: `filled` when done."""
    append: Append = batch._builder.append
    return append


def filled(batch: BatchBuilder, rows: int) -> None:
    """Tells the batch what was appended to it, and closes it."""
    batch._relative_offset = rows
    batch.close()
