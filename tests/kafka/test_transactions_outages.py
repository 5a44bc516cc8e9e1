"""A broker that dies, comes back, or falls silent in mid-transaction: every wait ends, and what was left is settled."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest

from app.kafka.failpoints import Step
from app.kafka.outcomes import OutcomeUnknown, TransactionFailed
from tests.brokers import BrokerUnderTest
from tests.kafka.transacting import Scene


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerUnderTest]:
    with BrokerUnderTest(tmp_path_factory.mktemp("breaking")) as broker:
        yield broker


@pytest.fixture
def scene(broker: BrokerUnderTest) -> Scene:
    scene = Scene(broker.address)
    scene.create_topics()
    return scene


async def test_an_unanswered_end_is_unknown_until_the_next_producer(broker: BrokerUnderTest, scene: Scene) -> None:
    def falls_silent(step: Step) -> None:
        if step is Step.OFFSETS_HELD:
            broker.pause()

    async with scene.member() as (group, _):
        with pytest.raises(OutcomeUnknown) as raised:
            await scene.transact(group, [b"first"], falls_silent, timeout_ms=2_000)
        assert raised.value.committed is None
        broker.resume()
        await settles(scene, raised.value)


async def test_a_restart_in_mid_transaction(broker: BrokerUnderTest, scene: Scene) -> None:
    restarting: list[asyncio.Future[None]] = []

    def dies(step: Step) -> None:
        if step is Step.CONFIRMED:
            os.kill(broker.pid, signal.SIGKILL)
            restarting.append(asyncio.ensure_future(asyncio.to_thread(start_again, broker)))

    failure = None
    async with scene.member() as (group, _):
        try:
            await scene.transact(group, [b"first"], dies, timeout_ms=30_000)
        except TransactionFailed as error:
            failure = error
        await restarting[0]
    await settles(scene, failure)


def start_again(broker: BrokerUnderTest) -> None:
    broker.stop()
    broker.start()


async def settles(scene: Scene, failure: TransactionFailed | None) -> None:
    """The next producer finds either all of the transaction or nothing, as far as was known, and goes on."""
    async with scene.member() as (group, _), scene.producer() as producer:
        found, seen = await scene.stable(producer), await scene.committed()
        assert (found, seen) in [({}, []), (scene.offsets(1), [b"first"])]
        known = True if failure is None else failure.committed
        assert known is None or bool(seen) is known
        producer.begin()
        await scene.send(producer, [b"second"])
        await producer.commit(scene.offsets(2), group)
    assert await scene.committed() == [*seen, b"second"]


async def test_no_wait_is_endless_without_a_broker(broker: BrokerUnderTest, scene: Scene) -> None:
    def dies(step: Step) -> None:
        if step is Step.SENT:
            broker.kill()

    async with scene.member() as (group, _):
        began = time.monotonic()
        with pytest.raises(TransactionFailed) as raised:
            await scene.transact(group, [b"first"], dies, timeout_ms=2_000)
        assert raised.value.committed is False
        assert time.monotonic() - began < 20
