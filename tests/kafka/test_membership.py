"""Members of a group on a real Kafka: who runs what, and what everyone is told."""

from app.streams.model import TaskId
from tests.kafka.groups import World, member, settled


async def test_one_member_has_it_all(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        assert a.now is not None
        assert a.active == {TaskId(0, number) for number in range(4)}
        assert a.now.partitions == {TaskId(0, number): ((world.source, number),) for number in range(4)}
        assert a.now.counts == {world.source: 4}
        assert a.now.group.group == world.name
        assert a.now.epoch == a.group.epoch == 1
        assert not a.now.unbroken
        assert a.now.peers["a"].address == "a:80"
        assert a.now.dead == ()
        assert a.group.consumer.paused() == a.group.consumer.assignment()


async def test_a_second_member_gets_half(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        a.obey()
        async with member(world, "b") as b:
            await b.until(lambda: settled([a, b], 4))
            assert len(a.active) == len(b.active) == 2
            assert a.revocations == [False]
            assert a.now is not None
            assert a.now.unbroken
            assert a.group.epoch == 2
        await a.until(lambda: settled([a], 4))
