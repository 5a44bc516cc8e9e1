"""Rows for topics that take less at once than a batch may have."""

import asyncio

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from app.kafka.writing import RowTooLarge, RowWriter
from app.streams.model import Row
from tests.kafka.recording import Recording


async def test_batches_are_no_larger_than_their_topic_takes() -> None:
    transport = Recording(batch_bytes=4_000)
    sizes: list[int] = []
    send = transport.send_batch

    async def sending(batch: BatchBuilder, topic: str, partition: int) -> object:
        sizes.append(int(batch.size()))
        return await send(batch, topic, partition)

    transport.send_batch = sending  # type: ignore[assignment,method-assign]
    writer = RowWriter(transport, lambda _: 1, limits={"small": 1_000}.get)
    writer.write([Row(topic, 0, None, b"x" * 300, 0, ()) for topic in ("small", "large") for _ in range(9)])
    writer.cut()
    flushing = asyncio.create_task(writer.flush())
    async with asyncio.timeout(5):
        while not flushing.done():
            for where in list(transport.under_way):
                transport.confirm(where)
            await asyncio.sleep(0)
    await flushing
    assert len([size for size in sizes if size <= 1_000]) == 3
    assert max(sizes) > 2_000
    with pytest.raises(RowTooLarge, match=r"small is larger than a request may be: 1000$"):
        writer.write([Row("small", 0, None, b"x" * 1_000, 0, ())])
