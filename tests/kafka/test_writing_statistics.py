"""What a writer says of itself: what brokers have confirmed, and what has still to be."""

import asyncio

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from app.kafka.writing import RowWriter, WriterStatistics
from app.streams.model import TopicPartition
from tests.kafka.recording import Recording, numbered, settle

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


class Weighing(Recording):
    """Notes how large each batch was, whole and uncompressed."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: dict[TopicPartition, int] = {}

    async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[RecordMetadata]:
        self.bytes[TopicPartition(topic, partition)] = len(batch._build())  # noqa: SLF001  # what a broker would get
        return await super().send_batch(batch, topic, partition)


async def test_rows_bytes_and_batches_count_when_they_are_confirmed() -> None:
    transport = Weighing()
    writer = RowWriter(transport, lambda _: 2)
    writer.write([*(numbered(number) for number in range(3)), numbered(3, 1, size=700)])
    assert writer.statistics().batches_under_way == 0
    writer.cut()
    flushing = asyncio.create_task(writer.flush())
    await settle()
    await flushing
    small, large = transport.bytes[FIRST], transport.bytes[SECOND]
    assert writer.statistics() == WriterStatistics(0, 0, 0, 4, small + large, 2)
    transport.confirm(FIRST)
    await settle()
    assert writer.statistics() == WriterStatistics(3, small, 1, 1, large, 1)
    transport.confirm(SECOND)
    await settle()
    assert writer.statistics() == WriterStatistics(4, small + large, 2, 0, 0, 0)


async def test_what_fails_was_never_sent() -> None:
    transport = Weighing()
    writer = RowWriter(transport, lambda _: 1)
    writer.write([numbered(0)])
    writer.cut()
    await writer.flush()
    transport.under_way[FIRST].set_exception(ConnectionError("gone"))
    await settle()
    assert writer.statistics() == WriterStatistics(0, 0, 0, 1, transport.bytes[FIRST], 0)
