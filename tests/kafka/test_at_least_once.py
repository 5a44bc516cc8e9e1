"""Offsets only after the outputs, the same failures as of a transaction, and a broker that is killed costs nothing."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest
from aiokafka.errors import IllegalGenerationError, KafkaConnectionError, MessageSizeTooLargeError

from app.kafka.at_least_once import AtLeastOnceProducer, at_least_once_producer
from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import Aborted, Fenced, OutcomeUnknown
from app.kafka.transport import Transport
from app.kafka.writing import RowWriter
from app.streams.model import Offset, Row, TopicPartition
from tests.brokers import BrokerUnderTest
from tests.kafka.logs import START_MS, Log

GROUP = GroupMetadata("group", 1, "member", None)
OFFSETS = {TopicPartition("source", 0): Offset(5, "text")}


class Committed:
    """The group's side: what it was told, and what it raises."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.told: list[Mapping[TopicPartition, Offset]] = []
        self.seen: list[int] = []

    async def __call__(self, offsets: Mapping[TopicPartition, Offset], group: GroupMetadata | None) -> None:
        assert group is GROUP
        self.told.append(offsets)
        if self.error is not None:
            raise self.error


def producer(
    log: Log, committed: Committed, within_ms: int = 30_000
) -> AbstractAsyncContextManager[AtLeastOnceProducer]:
    return at_least_once_producer(log.options, commit_offsets=committed, within_ms=within_ms)


async def send(transport: Transport, topic: str, *values: bytes, partition: int = 0) -> None:
    batch = transport.create_batch()
    for value in values:
        assert batch.append(timestamp=START_MS, key=None, value=value, headers=[]) is not None
    await transport.send_batch(batch, topic, partition)


async def values_of(log: Log) -> list[bytes | None]:
    return [row[3] for rows, _ in (await log.judged("read_uncommitted")).values() for row in rows]


@pytest.fixture
def log(kafka: str) -> Log:
    log = Log(kafka, partitions=2)
    log.create()
    return log


async def test_offsets_are_committed_when_all_batches_are_confirmed(log: Log) -> None:
    committed = Committed()
    async with producer(log, committed) as transport:
        for round_ in range(3):
            transport.begin()
            await send(transport, log.topic, b"a", b"b")
            await send(transport, log.topic, b"c")
            await send(transport, log.topic, b"d", partition=1)
            assert len(committed.told) == round_
            ends = await transport.commit(OFFSETS, GROUP)
            assert ends == {log.all[0]: 3 * (round_ + 1), log.all[1]: round_ + 1}
            assert committed.told[round_] == OFFSETS
        transport.begin()
        assert await transport.commit({}, GROUP) == {}
    assert len(committed.told) == 3
    assert sorted(await values_of(log), key=str) == sorted([b"a", b"b", b"c", b"d"] * 3, key=str)


async def test_a_failed_batch_keeps_the_offsets_back(kafka: str) -> None:
    log, committed = Log(kafka), Committed()
    log.create(**{"max.message.bytes": "1000"})
    async with producer(log, committed) as transport:
        transport.begin()
        await send(transport, log.topic, b"large" * 1_000)
        with pytest.raises(Aborted) as raised:
            await transport.commit(OFFSETS, GROUP)
        assert isinstance(raised.value.__cause__, MessageSizeTooLargeError)
        with pytest.raises(Aborted):
            transport.begin()
    assert committed.told == []


@pytest.mark.parametrize(
    ("error", "kind", "known"),
    [
        (IllegalGenerationError(), Fenced, False),
        (Fenced("another generation"), Fenced, False),
        (KafkaConnectionError(), OutcomeUnknown, None),
    ],
)
async def test_offsets_that_are_refused_spend_the_producer(
    log: Log, error: Exception, kind: type[Exception], *, known: bool | None
) -> None:
    async with producer(log, Committed(error)) as transport:
        transport.begin()
        await send(transport, log.topic, b"there")
        with pytest.raises(kind) as raised:
            await transport.commit(OFFSETS, GROUP)
        assert getattr(raised.value, "committed", "none") is known
        with pytest.raises(kind):
            transport.begin()
    assert await values_of(log) == [b"there"]


async def test_an_abort_commits_no_offsets_and_another_begins(log: Log) -> None:
    committed = Committed()
    async with producer(log, committed) as transport:
        transport.begin()
        await send(transport, log.topic, b"a")
        await transport.abort()
        transport.begin()
        await send(transport, log.topic, b"b")
        assert await transport.commit(OFFSETS, GROUP) == {log.all[0]: 2}
    assert len(committed.told) == 1


async def test_a_commit_is_refused_while_a_batch_is_being_sent(log: Log) -> None:
    """Its offsets could be committed without it."""
    committed = Committed()
    async with producer(log, committed) as transport:
        transport.begin()
        async with asyncio.TaskGroup() as sending:
            for value in (b"under way", b"next", b"waits for its place"):
                sending.create_task(send(transport, log.topic, value))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="a batch is being sent"):
                await transport.commit(OFFSETS, GROUP)
        assert await transport.commit(OFFSETS, GROUP) == {log.all[0]: 3}
    assert len(committed.told) == 1


async def test_nothing_is_sent_after_a_batch_that_failed(kafka: str) -> None:
    log = Log(kafka)
    log.create(**{"max.message.bytes": "1000"})
    async with producer(log, Committed()) as transport:
        transport.begin()
        batch = transport.create_batch()
        batch.append(timestamp=START_MS, key=None, value=b"large" * 1_000, headers=[])
        confirmed = await transport.send_batch(batch, log.topic, 0)
        with pytest.raises(MessageSizeTooLargeError):
            await confirmed
        with pytest.raises(Aborted, match="MessageSizeTooLarge"):
            await send(transport, log.topic, b"after it")
    assert await values_of(log) == []


async def test_calls_out_of_order_are_refused(log: Log) -> None:
    async with producer(log, Committed()) as transport:
        with pytest.raises(RuntimeError, match="no transaction has begun"):
            await send(transport, log.topic, b"a")
        transport.begin()
        with pytest.raises(RuntimeError, match="not ended"):
            transport.begin()
        with pytest.raises(ValueError, match="without records"):
            await transport.send_batch(transport.create_batch(), log.topic, 0)
        with pytest.raises(ValueError, match="without a group"):
            await transport.commit(OFFSETS, None)


async def test_a_broker_that_is_killed_and_comes_back_costs_and_doubles_nothing(
    broker_factory: Callable[..., BrokerUnderTest],
) -> None:
    broker = broker_factory()
    log, committed = Log(broker.address, partitions=2), Committed()
    log.create()
    async with producer(log, committed, within_ms=60_000) as transport:
        transport.begin()
        writer = RowWriter(transport, lambda _: 2)
        running = asyncio.create_task(writer.run())
        killing = asyncio.create_task(asyncio.to_thread(broker.restart))
        count = 0
        while not killing.done():
            writer.write([Row(log.topic, count % 2, None, b"%d" % count, START_MS, ())])
            writer.push()
            count += 1
            await asyncio.sleep(0.005)
        await killing
        writer.cut()
        await writer.flush()
        await transport.commit(OFFSETS, GROUP)
        running.cancel()
    assert committed.told == [OFFSETS]
    for number, (rows, _) in enumerate((await log.judged("read_uncommitted")).values()):
        assert [int(row[3] or b"") for row in rows] == list(range(number, count, 2))


async def test_a_broker_that_stays_away_fails_the_commit_in_time_and_the_closing_too(
    broker_factory: Callable[..., BrokerUnderTest],
) -> None:
    broker = broker_factory()
    log, committed = Log(broker.address), Committed()
    log.create()
    async with asyncio.timeout(30):
        async with producer(log, committed, within_ms=2_000) as transport:
            transport.begin()
            await send(transport, log.topic, b"a")
            await transport.commit(OFFSETS, GROUP)
            transport.begin()
            await asyncio.to_thread(broker.kill)
            await send(transport, log.topic, b"b")
            with pytest.raises(Aborted):
                await transport.commit(OFFSETS, GROUP)
    assert len(committed.told) == 1
