"""Batches under way: what is known of a transaction when their answers come, in whatever order."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from app.kafka.unconfirmed import Unconfirmed
from app.streams.model import TopicPartition

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


def batch(unconfirmed: Unconfirmed, partition: TopicPartition, records: int) -> asyncio.Future[RecordMetadata]:
    confirmed: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
    unconfirmed.add(partition, records, confirmed)
    return confirmed


def at(partition: TopicPartition, offset: int) -> RecordMetadata:
    return RecordMetadata(*partition, partition, offset, None, 0, None)


async def test_a_repeated_batch_whose_place_the_broker_has_forgotten_tells_no_end() -> None:
    """It answers with offset -1. Such an end would be the position of a store."""
    unconfirmed = Unconfirmed()
    known, forgotten = batch(unconfirmed, A, 5), batch(unconfirmed, B, 5)
    known.set_result(at(A, 10))
    forgotten.set_result(at(B, -1))
    async with asyncio.timeout(5):
        assert await unconfirmed.confirmed(lambda: unconfirmed.error) == {A: 15}


async def test_the_first_error_is_the_reason_and_says_where() -> None:
    unconfirmed = Unconfirmed()
    first, second = batch(unconfirmed, B, 1), batch(unconfirmed, A, 1)
    first.set_exception(MessageSizeTooLargeError())
    await asyncio.sleep(0)
    second.set_exception(KafkaTimeoutError("all the others fail too"))
    await asyncio.sleep(0)
    with pytest.raises(MessageSizeTooLargeError, match="t-1"):
        await unconfirmed.confirmed(lambda: unconfirmed.error)


async def test_who_waits_hears_of_other_failures_too() -> None:
    unconfirmed = Unconfirmed()
    lost: list[BaseException] = []
    never = batch(unconfirmed, A, 1)
    waiting = asyncio.create_task(unconfirmed.confirmed(lambda: lost[0] if lost else None))
    await asyncio.sleep(0)
    lost.append(ConnectionError("the producer is gone"))
    unconfirmed.wake()
    with pytest.raises(ConnectionError, match="is gone"):
        async with asyncio.timeout(5):
            await waiting
    never.cancel()
