"""What a successor needs: offsets that nobody changes any more, and the dead fenced."""

import dataclasses

import pytest
from aiokafka.errors import ProducerFenced

from app.kafka.failpoints import Step
from app.kafka.fencing import fence
from app.kafka.outcomes import Fenced
from tests.kafka.transacting import Scene, breaks_at


@pytest.fixture
def scene(kafka: str) -> Scene:
    scene = Scene(kafka)
    scene.create_topics()
    return scene


async def test_stable_offsets_are_never_older_than_the_last_commit(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        for offset in range(300):
            producer.begin()
            await scene.send(producer, [b"%d" % offset])
            await producer.commit(scene.offsets(offset, f"text {offset}"), group)
            assert await scene.stable(producer) == scene.offsets(offset, f"text {offset}")


async def test_a_group_without_commits_has_no_offsets(scene: Scene) -> None:
    async with scene.producer() as producer:
        assert await scene.stable(producer) == {}


async def test_the_dead_hold_their_offsets_until_they_are_fenced(scene: Scene) -> None:
    async with scene.member() as (group, _):
        with pytest.raises(ConnectionAbortedError):
            await scene.transact(group, [b"dead"], breaks_at(Step.OFFSETS_HELD), timeout_ms=60_000)
        async with scene.producer(transactional_id=f"{scene.name}-successor") as producer:
            with pytest.raises(TimeoutError, match="Unstable"):
                await scene.stable(producer, within=1)
            await fence(producer.client, scene.name, timeout_ms=10_000, within=20)
            assert await scene.stable(producer, within=5) == {}
            producer.begin()
            await scene.send(producer, [b"successor"])
            await producer.commit(scene.offsets(1), group)
            assert await scene.stable(producer) == scene.offsets(1)
    assert await scene.committed() == [b"successor"]


async def test_who_is_fenced_commits_nothing_more(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as zombie:
        zombie.begin()
        await scene.send(zombie, [b"zombie"])
        async with scene.producer(transactional_id=f"{scene.name}-successor") as successor:
            await fence(successor.client, scene.name, timeout_ms=10_000, within=20)
            with pytest.raises(Fenced) as raised:
                await zombie.commit(scene.offsets(99), group)
            assert isinstance(raised.value.__cause__, ProducerFenced)
            assert await scene.stable(successor) == {}
    assert await scene.committed() == []


async def test_a_producer_serves_one_group_after_another(scene: Scene) -> None:
    async with scene.member() as (group, _), scene.producer() as producer:
        producer.begin()
        await producer.commit(scene.offsets(1), group)
        other = dataclasses.replace(scene, name=f"{scene.name}-other")
        other.create_topics()
        async with other.member() as (other_group, _):
            producer.begin()
            await producer.commit(other.offsets(2), other_group)
            assert await other.stable(producer) == other.offsets(2)
        assert await scene.stable(producer) == scene.offsets(1)
