"""Members of a group on a real Kafka: what they fetch, and whose offsets are committed."""

import time

import pytest
from aiokafka import AIOKafkaProducer

from app.kafka.compat_group import group_client, request_rejoin
from app.kafka.fetching import fetch, resume, seek
from app.kafka.offset_commits import commit_offsets
from app.kafka.outcomes import Fenced
from app.kafka.stable_offsets import stable_offsets
from app.streams.model import Offset, TopicPartition
from tests.kafka.groups import World, member, partitions, settled


async def test_nothing_is_fetched_before_it_is_sought(kafka: str) -> None:
    world = World(kafka, partitions=2)
    world.create(world.source)
    await produce(kafka, world.source, {0: 300, 1: 300})
    async with member(world, "a") as a:
        consumer = a.group.consumer
        taken = 0
        while not settled([a], 2):
            taken += len(await fetch(consumer, partitions(world.source, 0, 1), timeout_ms=5))
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            taken += len(await fetch(consumer, partitions(world.source, 0, 1), timeout_ms=50))
        assert taken == 0
        assert a.group.failure is None
        where = TopicPartition(world.source, 1)
        seek(consumer, where, 250)
        resume(consumer, where)
        rows = [row for got in await fetch(consumer, [where], timeout_ms=5_000) for row in got.rows]
        assert [row[0] for row in rows if row[0] >= 250] == list(range(250, 300))


async def test_a_seek_is_not_overwritten_by_a_committed_offset(kafka: str) -> None:
    """aiokafka looks up committed offsets after each rebalance, in the background."""
    world = World(kafka, partitions=1)
    world.create(world.source)
    await produce(kafka, world.source, {0: 300})
    where = TopicPartition(world.source, 0)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 1))
        for number in range(10):
            await a.group.commit_offsets({where: Offset(7, "text")}, a.told.group)
            epoch = a.group.epoch
            request_rejoin(a.group.consumer)
            await a.until(lambda epoch=epoch: a.group.epoch > epoch and a.now)  # type: ignore[misc]
            seek(a.group.consumer, where, 100 + number)
            resume(a.group.consumer, where)
            rows = [row for got in await fetch(a.group.consumer, [where], timeout_ms=5_000) for row in got.rows]
            assert min(row[0] for row in rows if row[0] >= 100 + number) == 100 + number
            assert not any(row[0] == 7 for row in rows)
            found = await stable_offsets(group_client(a.group.consumer), world.name, [where], within=5)
            assert found[where] == (7, "text")


async def test_offsets_of_another_generation_are_refused(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    where = TopicPartition(world.source, 0)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        old = a.told.group
        epoch = a.group.epoch
        request_rejoin(a.group.consumer)
        await a.until(lambda: a.group.epoch > epoch and a.now)
        with pytest.raises(Fenced, match="the group is past"):
            await a.group.commit_offsets({where: Offset(1, "")}, old)
        with pytest.raises(Fenced):
            await commit_offsets(group_client(a.group.consumer), old, {where: Offset(1, "")}, within=5)
        await a.group.commit_offsets({where: Offset(2, "")}, a.told.group)


async def test_what_was_processed_can_be_committed_while_a_rebalance_waits(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    where = TopicPartition(world.source, 0)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        group, done = a.told.group, []

        async def commit(lost: bool) -> None:
            await a.group.commit_offsets({where: Offset(5, "")}, group)
            done.append(lost)

        a.when_revoked = commit
        async with member(world, "b") as b:
            await b.until(lambda: settled([a, b], 4))
            assert done == [False]
            found = await stable_offsets(group_client(b.group.consumer), world.name, [where], within=5)
            assert found[where].offset == 5


async def produce(server: str, topic: str, counts: dict[int, int]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server)
    await producer.start()
    try:
        for partition, count in counts.items():
            for number in range(count):
                await producer.send(topic, b"%d" % number, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
