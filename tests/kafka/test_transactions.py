"""Transactions on a real broker: what is committed is there with its offsets, and nothing else ever is."""

import asyncio
import dataclasses

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    IllegalGenerationError,
    MessageSizeTooLargeError,
    ProducerFenced,
    UnknownMemberIdError,
)

from app.kafka.compat import FencedInstanceIdError, WrappingTransactionManager
from app.kafka.failpoints import Step
from app.kafka.group_metadata import GroupMetadata
from app.kafka.log_bounds import log_bounds
from app.kafka.outcomes import Aborted, Fenced, OutcomeUnknown, TransactionFailed
from app.kafka.transactions import TransactionalProducer
from app.streams import model
from tests.kafka.granting import becomes
from tests.kafka.transacting import Scene, breaks_at, options


@pytest.fixture
def scene(kafka: str) -> Scene:
    scene = Scene(kafka, partitions=2)
    scene.create_topics()
    return scene


async def test_a_commit_makes_outputs_and_offsets_visible_together(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        producer.begin()
        await scene.send(producer, [b"a", b"b"], partition=0)
        await scene.send(producer, [b"c"], partition=1)
        assert await scene.committed() == []
        ends = await producer.commit(scene.offsets(7, "AgAAAYvP5WgA"), group)
        assert ends == {TopicPartition(scene.sink, 0): 2, TopicPartition(scene.sink, 1): 1}
        assert await scene.stable(producer) == scene.offsets(7, "AgAAAYvP5WgA")
    assert sorted(await scene.committed()) == [b"a", b"b", b"c"]


async def test_the_next_transaction_goes_on_where_the_last_ended(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        for round_ in range(5):
            producer.begin()
            for _ in range(3):  # one batch is under way and one waits: the third waits for its place
                await scene.send(producer, [b"%d" % round_])
            ends = await producer.commit(scene.offsets(round_), group)
            # A marker lies between transactions.
            assert ends == {TopicPartition(scene.sink, 0): (round_ + 1) * 3 + round_}
        producer.begin()
        assert await producer.commit({}, group) == {}
    assert await scene.committed() == [b"%d" % round_ for round_ in range(5) for _ in range(3)]


async def test_what_was_announced_is_not_asked_for_by_the_commit(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        manager = manager_of(producer)
        producer.begin()
        producer.announce([model.TopicPartition(scene.sink, 0)], group)
        async with asyncio.timeout(10):
            while not manager.txn_partitions or manager.consumer_group_to_add() is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert manager.txn_partitions == {TopicPartition(scene.sink, 0)}
        assert not manager.is_empty_transaction()
        await scene.send(producer, [b"a"])
        await producer.commit(scene.offsets(1), group)
        producer.begin()
        assert manager.consumer_group_to_add() is None
        assert await producer.commit({}, group) == {}
        producer.begin()
        producer.announce([model.TopicPartition(scene.sink, 1)], group)
        assert await producer.commit({}, group) == {}
        assert await scene.stable(producer) == scene.offsets(1)
    assert await scene.committed() == [b"a"]


async def test_an_aborted_transaction_is_never_seen(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        producer.begin()
        await scene.send(producer, [b"never"])
        await producer.abort()
        producer.begin()
        await scene.send(producer, [b"kept"])
        await producer.commit(scene.offsets(1), group)
        producer.begin()
        await scene.send(producer, [b"left open"])
    assert await scene.committed() == [b"kept"]


async def test_a_failed_batch_fails_the_commit(kafka: str) -> None:
    scene = Scene(kafka, partitions=2)
    scene.create_topics(**{"max.message.bytes": "1000"})
    async with scene.member() as (group, _):
        async with scene.producer() as producer:
            producer.begin()
            await scene.send(producer, [b"small"], partition=0)
            await scene.send(producer, [b"large" * 1_000], partition=1)
            with pytest.raises(Aborted) as raised:
                await producer.commit(scene.offsets(1), group)
            assert isinstance(raised.value.__cause__, MessageSizeTooLargeError)
            assert raised.value.committed is False
            with pytest.raises(Aborted):
                producer.begin()
        async with scene.producer() as producer:
            assert await scene.stable(producer) == {}
            producer.begin()
            await scene.send(producer, [b"small"], partition=1)
            await producer.commit(scene.offsets(1), group)
    assert await scene.committed() == [b"small"]


async def test_offsets_of_another_generation_are_fenced(scene: Scene) -> None:
    async with scene.member() as (group, _):
        await refused(scene, dataclasses.replace(group, generation=group.generation + 1), IllegalGenerationError)
        await refused(scene, dataclasses.replace(group, member="somebody"), UnknownMemberIdError)
        await commits(scene, group)


async def test_a_replaced_static_member_is_fenced(scene: Scene) -> None:
    async with scene.member("one") as (replaced, _):
        pass  # alive, it would come back and replace the other in turn
    async with scene.member("one") as (present, _):
        assert replaced.instance == "one"
        await refused(scene, replaced, FencedInstanceIdError)
        await commits(scene, present)


async def refused(scene: Scene, group: GroupMetadata, cause: type[Exception]) -> None:
    async with scene.producer() as producer:
        producer.begin()
        await scene.send(producer, [b"stale"])
        with pytest.raises(Fenced) as raised:
            await producer.commit(scene.offsets(99), group)
        assert type(raised.value.__cause__) is cause
        assert raised.value.committed is False


async def commits(scene: Scene, group: GroupMetadata) -> None:
    async with scene.producer() as producer:
        producer.begin()
        await scene.send(producer, [b"present"])
        await producer.commit(scene.offsets(1), group)
        assert await scene.stable(producer) == scene.offsets(1)
    assert await scene.committed() == [b"present"]


async def test_a_newer_producer_fences_the_older(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as older:
        older.begin()
        await scene.send(older, [b"older"])
        async with scene.producer() as newer:
            newer.begin()
            await scene.send(newer, [b"newer"])
            with pytest.raises(Fenced) as raised:
                await older.commit(scene.offsets(1), group)
            assert isinstance(raised.value.__cause__, ProducerFenced)
            await newer.commit(scene.offsets(2), group)
            assert await scene.stable(newer) == scene.offsets(2)
    assert await scene.committed() == [b"newer"]


async def test_a_transaction_that_was_open_too_long_is_fenced(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer(timeout_ms=1_000) as producer:
        producer.begin()
        await scene.send(producer, [b"late"])
        with pytest.raises(Fenced):
            await send_until_refused(scene, producer)
        with pytest.raises(Fenced):
            await producer.commit(scene.offsets(1), group)
    assert await scene.committed() == []


async def test_a_batch_on_its_way_when_the_transaction_is_lost_tells_why(scene: Scene) -> None:
    """As when a process was stopped for long: the sender hears that it is fenced while a batch waits for metadata."""

    def fenced(step: Step) -> None:
        if step is Step.BEFORE_SEND:
            vars(vars(producer)["_producer"])["_txn_manager"].fatal_error(ProducerFenced())

    async with scene.producer(fenced) as producer:
        producer.begin()
        with pytest.raises(Fenced):
            await scene.send(producer, [b"late"])


async def send_until_refused(scene: Scene, producer: TransactionalProducer) -> None:
    async with asyncio.timeout(30):  # the broker looks for them every ten seconds
        while True:
            await scene.send(producer, [b"late"])
            await asyncio.sleep(0.1)


async def test_sequence_numbers_wrap_as_the_broker_wants(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        near_the_end(producer, TopicPartition(scene.sink, 0))
        for number in range(4):
            producer.begin()
            await scene.send(producer, [b"%d" % number] * 3)
            await producer.commit(scene.offsets(number), group)
    assert await scene.committed() == [b"%d" % (number // 3) for number in range(12)]


def near_the_end(producer: TransactionalProducer, partition: TopicPartition) -> None:
    """As if 2^31 - 5 records had been sent, which a broker takes from a producer that it does not know yet."""
    manager_of(producer).increment_sequence_number(partition, 2**31 - 5)


def manager_of(producer: TransactionalProducer) -> WrappingTransactionManager:
    manager: WrappingTransactionManager = vars(vars(producer)["_producer"])["_txn_manager"]
    return manager


async def test_a_transaction_has_its_steps(scene: Scene) -> None:
    steps: list[Step] = []
    async with scene.member() as (group, _), scene.producer(steps.append) as producer:
        producer.begin()
        await scene.send(producer, [b"a"])
        await producer.commit(scene.offsets(1), group)
    assert steps == list(Step)


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.END_ANSWERED])
async def test_what_breaks_in_a_step_is_settled_by_the_next_producer(scene: Scene, step: Step) -> None:
    """After EndTxn was sent it may be committed; before, never. Offsets and outputs agree in any case."""
    async with scene.member() as (group, _):
        with pytest.raises(OutcomeUnknown if step is Step.END_SENT else ConnectionAbortedError):
            await scene.transact(group, [b"first"], breaks_at(step))
        async with scene.producer() as producer:
            found = await scene.stable(producer)
            seen = await scene.committed()
            assert (found, seen) in [({}, []), (scene.offsets(1), [b"first"])]
            assert step is Step.END_SENT or not seen
            producer.begin()
            await scene.send(producer, [b"second"])
            await producer.commit(scene.offsets(2), group)
            assert await scene.stable(producer) == scene.offsets(2)
    assert await scene.committed() == [*seen, b"second"]


async def test_a_cancelled_commit_spends_the_producer(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        producer.begin()
        await scene.send(producer, [b"a"])
        commit = asyncio.ensure_future(producer.commit(scene.offsets(1), group))
        await asyncio.sleep(0)
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
        with pytest.raises(TransactionFailed):
            await scene.send(producer, [b"b"])


async def test_a_commit_is_refused_while_a_batch_is_being_sent(scene: Scene) -> None:
    """Its offsets could be committed without it."""
    async with scene.member() as (group, _), scene.producer() as producer:
        producer.begin()
        async with asyncio.TaskGroup() as sending:
            for value in (b"under way", b"next", b"waits for its place"):
                sending.create_task(scene.send(producer, [value]))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="a batch is being sent"):
                await producer.commit(scene.offsets(1), group)
        await producer.commit(scene.offsets(1), group)
    assert len(await scene.committed()) == 3


async def test_what_is_open_when_a_producer_is_closed_is_aborted_at_once(scene: Scene) -> None:
    """Readers of the topic would wait for its time-out."""
    where = TopicPartition(scene.sink, 0)
    async with scene.producer(timeout_ms=60_000) as producer:
        producer.begin()
        await scene.send(producer, [b"left open"])
    async with log_bounds(options(scene.server)) as bounds:
        after_marker = {where: 2}
        assert await becomes(lambda: bounds.ends([where], committed=True), after_marker) == after_marker


async def test_only_one_transaction_at_a_time(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        with pytest.raises(RuntimeError, match="no transaction has begun"):
            await producer.commit({}, group)
        producer.begin()
        with pytest.raises(RuntimeError, match="has not ended"):
            producer.begin()


@pytest.mark.parametrize(("generation", "member"), [(-1, "member"), (3, "")])
def test_ids_that_nothing_would_fence_are_refused(generation: int, member: str) -> None:
    with pytest.raises(ValueError, match="names no member"):
        GroupMetadata("group", generation, member)
