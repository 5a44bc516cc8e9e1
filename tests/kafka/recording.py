"""A transport that keeps what it is given, for tests of what is written."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import cast

from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import RecordMetadata

from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import TransactionFailed
from app.streams.model import Offset, Row, TopicPartition
from tests.kafka.logs import START_MS

BATCH = 2_000
Sent = tuple[TopicPartition, tuple[tuple[bytes | None, bytes | None], ...]]


class Recording:
    """The far side: keeps what it is given, and confirms it when told to."""

    client = cast("AIOKafkaClient", None)
    lost: BaseException | None = None

    def __init__(self, *, batch_bytes: int = BATCH) -> None:
        self.batch_bytes = batch_bytes
        self.transactions: list[list[Sent]] = [[]]
        self.under_way: dict[TopicPartition, asyncio.Future[RecordMetadata]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.sending = 0
        self.refuses: TransactionFailed | None = None

    def begin(self) -> None:
        assert not self.sending
        self.transactions.append([])

    def announce(self, partitions: Iterable[TopicPartition], group: GroupMetadata) -> None: ...

    def create_batch(self, at_most: int | None = None) -> BatchBuilder:
        return BatchBuilder(min(self.batch_bytes, at_most or self.batch_bytes), 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[RecordMetadata]:
        self.sending += 1
        try:
            await self.gate.wait()
            if self.refuses is not None:
                raise self.refuses
        finally:
            self.sending -= 1
        where = TopicPartition(topic, partition)
        assert where not in self.under_way or self.under_way[where].done(), "aiokafka would wait for this partition"
        self.transactions[-1].append((where, tuple(records(batch))))
        confirmed = self.under_way[where] = asyncio.get_running_loop().create_future()
        return confirmed

    def confirm(self, where: TopicPartition) -> None:
        if not (future := self.under_way[where]).done():
            future.set_result(cast("RecordMetadata", None))

    async def commit(
        self, offsets: Mapping[TopicPartition, Offset], group: GroupMetadata | None
    ) -> dict[TopicPartition, int]:
        """The tests confirm, and look at what was sent."""
        return {}

    async def abort(self) -> None: ...


def records(batch: BatchBuilder) -> Iterable[tuple[bytes | None, bytes | None]]:
    builder = MemoryRecords(bytes(batch._build()))  # noqa: SLF001  # what a broker would get
    while builder.has_next():
        for record in builder.next_batch() or ():
            yield record.key, record.value


def numbered(number: int, partition: int | None = 0, topic: str = "t", size: int = 0) -> Row:
    return Row(topic, partition, None, b"%d" % number + b"." * size, START_MS, ())


def numbers(sent: Iterable[Sent], where: TopicPartition | None = None) -> list[int]:
    found = [value for at, rows in sent if where in (None, at) for _, value in rows]
    return [int(value.rstrip(b".")) for value in found if value is not None]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
