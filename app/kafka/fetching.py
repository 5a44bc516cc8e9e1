"""Rows of whole record batches, their bytes untouched, from the partitions that are wanted."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import CorruptRecordException, KafkaError, OffsetOutOfRangeError

from app.kafka.compat_rows import Buffers
from app.kafka.failures import describe
from app.streams.model import Inbound, TopicPartition

FETCH_MAX_WAIT_MS = 50
"""A broker that has anything answers at once. One that has nothing holds the request so long, and with it every
partition that was resumed, sought or emptied meanwhile: a node is asked one thing at a time."""

MAX_PARTITION_FETCH_BYTES = 1024 * 1024
"""A node is asked again when all it gave is taken, or 100 ms after: less makes more pauses, more makes longer ones."""

FETCH_MAX_BYTES = 16 * 1024 * 1024

ROWS_AT_ONCE = 4_000
"""About a millisecond of parsing; the batch that exceeds it is still given whole."""


class Fetched(NamedTuple):
    """What a partition gave: rows of whole batches, none when only markers and aborted batches were passed.

    position: of the next record to read. end: of the log as the last fetch told, the last stable offset under
    read_committed, else the high watermark.
    """

    partition: TopicPartition
    rows: list[Inbound]
    position: int
    end: int


class FetchFailed(KafkaError):  # type: ignore[misc]  # aiokafka is untyped
    """Reading `partition` from `position` on fails until something is done about it; other partitions are untouched."""

    def __init__(self, partition: TopicPartition, position: int | None, cause: BaseException) -> None:
        where = "" if position is None else f" from offset {position}"
        why = cause if isinstance(cause, KafkaError) else describe(cause)  # aiokafka's begin with their names
        super().__init__(f"{partition.topic}-{partition.partition}{where}: {why}")
        self.partition, self.position = partition, position


class CorruptBatch(FetchFailed):
    """A checksum or a format that is wrong. Asked again, the partition is fetched anew."""


class OffsetOutOfRange(FetchFailed):
    """There is no such offset (any more): seek."""


_KINDS: Mapping[type[Exception], type[FetchFailed]] = {
    CorruptRecordException: CorruptBatch,
    OffsetOutOfRangeError: OffsetOutOfRange,
}


def row_consumer(options: Mapping[str, Any], *, isolation_level: str, **rest: Any) -> AIOKafkaConsumer:
    """For `fetch`. Nothing is committed and no position is chosen by itself: `seek` each partition once it is assigned.

    `options` are those of every client, `rest` those of a group: group_id, the assignor, time-outs.
    """
    return AIOKafkaConsumer(
        **options,
        **{
            "isolation_level": isolation_level,
            "auto_offset_reset": "none",
            "enable_auto_commit": False,
            "check_crcs": True,
            "max_poll_interval_ms": 2**31 - 1,  # back-pressure and restoration may take as long as they like
            "fetch_min_bytes": 1,
            "fetch_max_wait_ms": FETCH_MAX_WAIT_MS,
            "fetch_max_bytes": FETCH_MAX_BYTES,
            "max_partition_fetch_bytes": MAX_PARTITION_FETCH_BYTES,
            **rest,
        },
    )


async def fetch(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition], *, timeout_ms: float, max_batches: int = 8
) -> list[Fetched]:
    """At most `max_batches` of each partition, as soon as there are any; nothing after the time-out, which holds during
    a rebalance too. A cancelled call has taken nothing. Let the loop run before the rows are worked on: only then is
    more asked for.

    Raises FetchFailed for one partition, KafkaError for all.
    """
    wanted, buffers = frozenset(partitions), Buffers(consumer)
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        buffers.check()
        _raise_error(buffers, wanted)  # first, or a partition that is never empty would hide it
        if taken := buffers.take(wanted, max_batches, ROWS_AT_ONCE):
            return [
                Fetched(TopicPartition(*partition), rows, reached, max(reached, buffers.end(partition) or 0))
                for partition, rows, reached in taken
            ]
        _raise_error(buffers, wanted)  # what the taking came upon
        left = deadline - time.monotonic()
        if left <= 0:
            return []
        await buffers.arrival(left)


def position(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """Of the next record that `fetch` gives; None: not assigned, or not sought yet."""
    return Buffers(consumer).position(partition)


def end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """As in `Fetched`; None: not assigned, or nothing was fetched yet."""
    return Buffers(consumer).end(partition)


def seek(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    """Drops what is buffered. Raises IllegalStateError for a partition that is not assigned."""
    consumer.seek(ClientPartition(*partition), offset)


def pause(consumer: AIOKafkaConsumer, *partitions: TopicPartition) -> None:
    """Drops what is buffered at the next fetch: for a short while, do not ask for them instead."""
    consumer.pause(*(ClientPartition(*partition) for partition in partitions))


def resume(consumer: AIOKafkaConsumer, *partitions: TopicPartition) -> None:
    consumer.resume(*(ClientPartition(*partition) for partition in partitions))


def _raise_error(buffers: Buffers, wanted: Collection[TopicPartition]) -> None:
    if (found := buffers.error(wanted)) is None:
        return
    partition, error = found
    for kind, named in _KINDS.items():
        if isinstance(error, kind):
            raise named(TopicPartition(*partition), buffers.position(partition), error) from error
    raise error
