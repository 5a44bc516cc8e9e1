"""What does not fit into a group: other versions, topologies and kinds of member, topics that are not there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from app.errors import ConfigError
from app.kafka.assignor import PROTOCOL
from app.kafka.user_data import read_assignment
from app.streams import Topology
from tests.brokers import BrokerUnderTest
from tests.kafka.groups import World, member, settled, until


class Foreign(RangePartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped
    """A member of our protocol by its name only."""

    name = PROTOCOL

    def __init__(self, user_data: bytes) -> None:
        self.user_data = user_data
        self.told: list[bytes] = []

    def metadata(self, topics: Any) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(0, sorted(topics), self.user_data)

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        self.told.append(assignment.user_data)


class Java(RangePartitionAssignor):  # type: ignore[misc]
    name = "stream"


@asynccontextmanager
async def foreigner(world: World, assignor: Any) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        world.source,
        **world.client(),
        group_id=world.name,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=300,
        partition_assignment_strategy=(assignor,),
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    ("user_data", "said"),
    [
        (b'{"v":9,"supported":8,"process":"x"}', "it speaks version 9, down to 8, and this one up to 1"),
        (b'{"v":0}', "it speaks version 0, and this one from 1 on"),
        (b"\x00\x00\x00\x0b\xff\xff", "it sends data of another kind"),
        (b"", "it sends no data"),
        (b'{"v":1}', "its data of version 1 do not fit"),
    ],
)
async def test_who_is_not_understood_is_told_so_and_the_others_go_on(kafka: str, user_data: bytes, said: str) -> None:
    world = World(kafka)
    world.create(world.source)
    foreign = Foreign(user_data)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        async with foreigner(world, foreign):
            await until(lambda: foreign.told)
            assert said in read_assignment(foreign.told[0]).error
            await a.until(lambda: settled([a], 4))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"v":7,"error":"too old for us"}', "too old for us"),
        (b'{"v":7,"supported":7}', "it speaks version 7, down to 7, and this one up to 1"),
        (b"gibberish", "it sends data of another kind"),
        (b"", "it sends no data"),
    ],
)
async def test_a_leader_that_is_not_understood_ends_the_member(kafka: str, answer: bytes, said: str) -> None:
    world = World(kafka)
    world.create(world.source)

    class Leader(Foreign):
        def assign(self, _cluster: Any, members: Any) -> dict[str, ConsumerProtocolMemberAssignment]:
            return {member: ConsumerProtocolMemberAssignment(0, [], answer) for member in members}

    async with foreigner(world, Leader(b"leader")), member(world, "a") as a:
        await until(lambda: a.group.failure)
        assert isinstance(a.group.failure, ConfigError)
        assert said in str(a.group.failure)


async def test_a_group_of_java_is_waited_for(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with foreigner(world, Java), member(world, "a") as a:
        await a.until(lambda: "in use by another kind of member (Java Kafka Streams?)" in a.group.waiting)
        assert a.now is None
        await a.until(lambda: a.group.waiting)
    async with foreigner(world, Java) as java, member(world, "a") as a:
        await a.until(lambda: a.group.waiting)
        await java.stop()
        await a.until(lambda: settled([a], 4))
        assert not a.group.waiting


async def test_another_topology_waits_until_its_turn_comes(kafka: str) -> None:
    """A rolling deployment of a changed topology: one runs at a time, and no process has to be started again."""
    world = World(kafka)
    world.create(world.source)
    async with member(world, "old") as old:
        await old.until(lambda: settled([old], 4))
        async with member(world, "new", world.stateless("renamed")) as new:
            await new.until(lambda: "another topology" in new.group.waiting)
            await old.until(lambda: settled([old], 4))
            assert new.now is None
            await old.group.close()
            await new.until(lambda: settled([new], 4))


@pytest.mark.parametrize(
    "topology",
    [lambda world: world.stateless("renamed"), lambda world: world.matching("other")],
    ids=["other nodes", "other topics"],
)
async def test_a_static_member_does_not_take_the_tasks_of_another_topology(
    kafka: str, topology: Callable[[World], Topology]
) -> None:
    """It is given what its predecessor was told: the group did not change."""
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a", instance_id="one") as a:
        await a.until(lambda: settled([a], 4))
        async with member(world, "b", instance_id="two") as b:
            await b.until(lambda: settled([a, b], 4))
        async with member(world, "b", topology(world), instance_id="two") as b:
            await b.until(lambda: b.now or b.group.waiting)
            assert b.now is None
            await b.until(lambda: "the group runs another topology" in b.group.waiting)
            await a.until(lambda: settled([a], 4))


async def test_a_static_member_comes_back_to_fewer_topics(kafka: str) -> None:
    world = World(kafka, partitions=2)
    topology = world.matching(f"{world.name}-in-.*")
    one, two = f"{world.name}-in-1", f"{world.name}-in-2"
    world.create(one, two)
    async with member(world, "a", topology, instance_id="one") as a:
        await a.until(lambda: settled([a], 2))
        assert a.told.counts == {one: 2, two: 2}
        world.delete(one)
        await until(lambda: one not in world.topics())
    async with member(world, "a", topology, instance_id="one") as a:
        await a.until(lambda: a.now and a.now.counts == {two: 2})
        assert a.group.consumer.assignment() == {(two, 0), (two, 1)}


async def test_a_missing_topic_is_named_after_a_while(kafka: str) -> None:
    world = World(kafka)
    async with member(world, "a", missing_within=2.5) as a:
        await a.until(lambda: f"{world.source} does not exist, or not yet" in a.group.waiting)
        await until(lambda: a.group.failure)
        assert isinstance(a.group.failure, ConfigError)
        assert f"{world.source} does not exist, and the topology reads it" in str(a.group.failure)


async def test_a_topic_that_comes_late_is_waited_for(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    world = World(kafka)
    async with member(world, "a") as a:
        await a.until(lambda: a.group.waiting and a.group.rebalances > 2)
        assert caplog.text.count(f"{world.source} does not exist, or not yet; waiting") == 1
        world.create(world.source)
        await a.until(lambda: settled([a], 4))


async def test_new_partitions_become_tasks(kafka: str) -> None:
    world = World(kafka, partitions=2)
    world.create(world.source)
    async with member(world, "a") as a, member(world, "b") as b:
        await a.until(lambda: settled([a, b], 2))
        epoch = b.group.epoch
        b.group.rejoin()
        await b.until(lambda: b.group.epoch > epoch and settled([a, b], 2))
        # From here on b says what it said before, for which alone a broker would not plan anew.
        world.grow(world.source, 5)
        b.group.rejoin()  # else it is seen with the next metadata, within half a minute
        await a.until(lambda: settled([a, b], 5), 15)
        assert a.told.counts == {world.source: 5}


async def test_new_partitions_do_not_fit_the_changelog(kafka: str) -> None:
    world = World(kafka, partitions=2)
    world.create(world.source)
    found = {f"{world.name}-c-changelog": 2}
    async with member(world, "a", world.counting(), found=found) as a:
        await a.until(lambda: settled([a], 2))
        world.grow(world.source, 3)
        a.group.rejoin()
        await until(lambda: a.group.failure)
        assert isinstance(a.group.failure, ConfigError)
        assert f"{world.name}-c-changelog has 2 partitions and should have 3" in str(a.group.failure)


async def test_topics_of_a_pattern_come_and_go(kafka: str) -> None:
    world = World(kafka, partitions=2)
    topology = world.matching(f"{world.name}-in-.*")
    one, two = f"{world.name}-in-1", f"{world.name}-in-2"
    world.create(f"not-{one}")
    async with (
        member(world, "a", topology, refresh_within=0.3) as a,
        member(world, "b", topology, refresh_within=0.3) as b,
    ):
        members = [a, b]
        await a.until(lambda: settled(members, 0))
        world.create(one)
        await a.until(lambda: settled(members, 2))
        world.create(two, partitions=3)
        await a.until(lambda: settled(members, 3))
        assert a.told.counts == {one: 2, two: 3}
        world.delete(one)
        await a.until(lambda: settled(members, 3) and a.told.counts == {two: 3})
        held = {partition for each in members for own in each.told.partitions.values() for partition in own}
        assert held == {(two, number) for number in range(3)}


async def test_a_session_the_broker_does_not_allow_is_a_setting_to_change(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a", session_timeout_ms=1_000) as a:
        await until(lambda: a.group.failure)
        assert isinstance(a.group.failure, ConfigError)
        assert "APP_STREAMS__SESSION_TIMEOUT_MS=1000" in str(a.group.failure)


async def test_a_broker_that_comes_back_finds_its_members(broker_factory: Any) -> None:
    broker: BrokerUnderTest = await asyncio.to_thread(broker_factory)
    world = World(broker.address)
    world.create(world.source)
    async with member(world, "a") as a, member(world, "b") as b:
        await a.until(lambda: settled([a, b], 4))
        for each in (a, b):
            each.obey()
        await asyncio.to_thread(broker.kill)
        epoch = a.group.epoch
        await until(lambda: a.group.epoch > epoch and a.now is None)  # silent for a session: no longer sure of anything
        await asyncio.to_thread(broker.start)
        await a.until(lambda: settled([a, b], 4), 60)
        assert a.group.failure is None
