"""Members of a group on a real Kafka: who runs what, and what everyone is told."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from app.errors import TryAgain
from app.kafka.compat_group import group_client, joining, leave, request_rejoin
from app.kafka.membership import Standing
from app.kafka.outcomes import Fenced
from app.kafka.predecessors import remove_predecessors
from app.kafka.rejoining import REJOIN_PAUSE
from app.streams.model import Offset, TaskId, TopicPartition
from tests.kafka.groups import Watched, World, member, settled, until


async def test_one_member_has_it_all(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        assert a.active == {TaskId(0, number) for number in range(4)}
        assert a.told.partitions == {TaskId(0, number): ((world.source, number),) for number in range(4)}
        assert a.told.counts == {world.source: 4}
        assert a.told.group.group == world.name
        assert a.told.epoch == a.group.epoch == 1
        assert not a.told.unbroken
        assert a.told.peers["a"].address == "a:80"
        assert not a.told.dead
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
            assert a.told.unbroken
            assert a.group.epoch == 2
        await a.until(lambda: settled([a], 4))


async def test_state_draws_its_task_and_a_newcomer_is_warmed_up_first(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    topology = world.counting()
    async with member(world, "a", topology) as a:
        await a.until(lambda: settled([a], 4))
        a.obey()
        async with member(world, "b", topology) as b:
            await b.until(lambda: settled([a, b], 4))
            assert len(a.active) == 4
            warming = b.told.duties.warmups
            assert len(warming) == 2
            b.obey()
            b.group.rejoin()
            await b.until(lambda: settled([a, b], 4) and b.active)
            assert b.active == set(warming)
            assert b.joins >= 2


async def test_a_restart_finds_its_tasks(kafka: str) -> None:
    """What it has on disk draws them back, though the others were there first."""
    world = World(kafka)
    world.create(world.source)
    topology = world.counting()
    tasks = [TaskId(0, number) for number in range(4)]
    async with member(world, "a", topology) as a:
        a.standing = Standing(frozenset(), {tasks[0]: 5, tasks[1]: 0})
        a.group.rejoin()
        async with member(world, "b", topology) as b:
            b.standing = Standing(frozenset(), {tasks[2]: 5, tasks[3]: 0})
            b.group.rejoin()
            await b.until(lambda: settled([a, b], 4) and b.active == {tasks[2], tasks[3]})
            a.obey()
            kept = b.active
        await a.until(lambda: settled([a], 4))
        a.obey(dict.fromkeys(kept, 3))
        async with member(world, "b", topology) as b:
            b.standing = Standing(frozenset(), dict.fromkeys(kept, 100))
            b.group.rejoin()
            await b.until(lambda: settled([a, b], 4) and b.active == kept)


async def test_standbys_stand_on_other_processes(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    topology = world.counting()
    async with member(world, "a", topology, standbys=1) as a, member(world, "b", topology, standbys=1) as b:
        await b.until(lambda: settled([a, b], 4) and len(a.active) == len(b.active))
        assert a.standby == b.active
        assert b.standby == a.active
        a.obey()
        b.obey()
        assert {task for peer in a.told.peers.values() for task in peer.standby} == a.active | b.active
        before = a.active
        async with member(world, "c", topology, standbys=1) as c:
            await c.until(lambda: settled([a, b, c], 4))
            assert a.active == before  # c has nothing yet
            assert len(a.standby) + len(b.standby) + len(c.standby) == 4
        b_had = b.active
        await a.until(lambda: settled([a, b], 4))
        assert b.active == b_had


async def test_who_dies_without_a_word_is_told_to_the_survivor_until_fenced(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a, member(world, "b") as b:
        await a.until(lambda: settled([a, b], 4))
        await vanish(b)
        await a.until(lambda: settled([a], 4))
        assert a.told.dead == (f"{world.name}-b",)
        assert list(a.told.peers) == ["a"]
        epoch = a.group.epoch
        a.group.rejoin()
        await a.until(lambda: a.group.epoch > epoch and a.now)
        assert a.told.dead == (f"{world.name}-b",)
        a.group.fenced(a.told.dead)
        epoch = a.group.epoch
        a.group.rejoin()
        await a.until(lambda: a.group.epoch > epoch and a.now)
        assert not a.told.dead


async def test_who_was_away_vouches_for_no_fence(kafka: str) -> None:
    """Meanwhile the dead may have come back, and died again."""
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a, member(world, "b") as b:
        await a.until(lambda: settled([a, b], 4))
        await vanish(b)
        await a.until(lambda: settled([a], 4))
        dead, before = a.told.dead, a.told.group.member

        async def thrown_out(_lost: bool) -> None:
            at = joining(a.group.consumer)
            assert at is not None
            await leave(group_client(a.group.consumer), at[0], world.name, at[1])

        a.when_revoked = thrown_out
        a.group.fenced(dead)
        request_rejoin(a.group.consumer)
        await a.until(lambda: a.now and a.now.group.member != before)
        assert a.told.dead == dead == (f"{world.name}-b",)


async def test_the_dead_who_come_back_are_not_dead(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a, member(world, "b") as b:
        await a.until(lambda: settled([a, b], 4))
        await vanish(b)
        began = time.monotonic()
        async with member(world, "b") as again:  # it removes what it was before
            await a.until(lambda: settled([a, again], 4))
            assert time.monotonic() - began < 5
            assert not [*a.told.dead, *again.told.dead]
            a.group.fenced([f"{world.name}-b"])
            await vanish(again)
            await a.until(lambda: settled([a], 4))
            assert list(a.told.dead) == [f"{world.name}-b"]


async def test_leaving_is_quick(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        async with member(world, "b") as b:
            await a.until(lambda: settled([a, b], 4))
            began = time.monotonic()
        await a.until(lambda: settled([a], 4))
        assert time.monotonic() - began < 3


async def test_leaving_out_of_a_rebalance_is_quick(kafka: str) -> None:
    """The broker waits for `a`, and with it the answer that `b` waits for."""
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a", revoke_within=20.0) as a:
        await a.until(lambda: settled([a], 4))
        release = asyncio.Event()

        async def busy(_lost: bool) -> None:
            await release.wait()

        a.when_revoked = busy
        async with member(world, "b") as b:
            await until(lambda: joining(b.group.consumer) and a.now is None)
            began = time.monotonic()
        assert time.monotonic() - began < 1.9
        release.set()
        await a.until(lambda: settled([a], 4), 4)


async def test_a_static_member_restarts_without_a_rebalance(kafka: str) -> None:
    world = World(kafka)
    async with one_expected(world) as (a, gone):
        kept, generation, epoch = gone.active, gone.told.group.generation, a.group.epoch
        async with member(world, "b", instance_id="two") as b:
            await b.until(lambda: b.now)
            assert b.active == kept
            assert b.told.group.generation == generation
            assert b.told.group.instance == "two"
            assert not b.told.unbroken
            assert a.group.epoch == epoch


async def test_a_static_member_that_was_another_process_fences_it_and_is_announced(kafka: str) -> None:
    world = World(kafka)
    async with one_expected(world) as (a, _), member(world, "c", instance_id="two") as c:
        await c.until(lambda: c.now)
        await c.until(lambda: c.now and "c" in c.now.peers)
        assert a.told.peers["c"].address == "c:80"
        assert list(a.told.dead) == [f"{world.name}-b"]


async def test_two_processes_with_one_instance_id_do_not_fight_for_ever(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a", instance_id="one") as a, member(world, "b", instance_id="one") as b:
        await until(lambda: a.group.failure or b.group.failure)
        failed = a.group.failure or b.group.failure
        assert isinstance(failed, TryAgain)
        assert "another process is member one" in str(failed)


async def test_a_revocation_that_hangs_does_not_hold_the_others(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a", revoke_within=0.5) as a:
        await a.until(lambda: settled([a], 4))

        async def hang(_lost: bool) -> None:
            await asyncio.Event().wait()

        a.when_revoked = hang
        async with member(world, "b") as b:
            await b.until(lambda: settled([a, b], 4), 10)


async def test_whoever_is_not_done_joins_in_time(kafka: str) -> None:
    """Else it would be thrown out, and lose the tasks it keeps."""
    world = World(kafka, request_timeout_ms=6_000)
    world.create(world.source)
    async with member(world, "a", revoke_within=60.0) as a:
        await a.until(lambda: settled([a], 4))
        before = a.told.group.member

        async def hang(_lost: bool) -> None:
            await asyncio.Event().wait()

        a.when_revoked = hang
        async with member(world, "b") as b:
            await b.until(lambda: settled([a, b], 4))
            assert a.told.group.member == before
            assert a.told.unbroken


async def test_a_join_that_hangs_is_told(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        release = asyncio.Event()

        async def busy(_lost: bool) -> None:
            await release.wait()

        a.when_revoked = busy
        async with member(replace(world, request_timeout_ms=2_000), "b") as b:
            await b.until(lambda: b.group.waiting)
            assert f"group {world.name}: no assignment for 1.6 s" in b.group.waiting
            release.set()
            await b.until(lambda: settled([a, b], 4))
            assert not b.group.waiting


async def test_whoever_was_thrown_out_knows_it(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        epoch, group = a.group.epoch, a.told.group
        await remove_predecessors(group_client(a.group.consumer), world.name, "a", within=5)
        await a.until(lambda: a.revocations)
        assert a.revocations == [True]
        assert a.group.epoch > epoch
        with pytest.raises(Fenced):
            await a.group.commit_offsets({TopicPartition(world.source, 0): Offset(1, "")}, group)
        await a.until(lambda: settled([a], 4))
        assert not a.told.unbroken


async def test_a_loop_that_stood_still_for_a_session_sees_another_epoch_at_once(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        epoch = a.group.epoch
        time.sleep(6.2)  # noqa: ASYNC251 - as after SIGSTOP and SIGCONT: no turn of the loop in between
        assert a.group.epoch > epoch
        assert a.now is None
        await a.until(lambda: settled([a], 4))
        assert a.revocations == [True]
        assert not a.told.unbroken


async def test_thirty_rebalances_in_a_row(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a, member(world, "b") as b, member(world, "c") as c:
        members = [a, b, c]
        await a.until(lambda: settled(members, 4))
        for number in range(30):
            for each in members:
                each.obey()
            epochs = [each.group.epoch for each in members]
            request_rejoin(members[number % 3].group.consumer)
            members[number % 3].group.rejoin()
            await a.until(
                lambda epochs=epochs: (
                    settled(members, 4)  # type: ignore[misc]
                    and all(each.group.epoch > epoch for each, epoch in zip(members, epochs, strict=True))
                )
            )
        assert {False} == {lost for each in members for lost in each.revocations}
        assert all(each.told.unbroken for each in members)


async def test_what_nobody_looked_at_breaks_the_chain(kafka: str) -> None:
    """Between the two that were seen, a task may have been another's."""
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        seen: list[bool | None] = []
        for looking in (True, False, True):
            if looking:
                seen.append(a.told.unbroken)
            epoch = a.group.epoch
            request_rejoin(a.group.consumer)
            await a.until(lambda epoch=epoch: a.group.epoch > epoch and a.now)  # type: ignore[misc]
            seen.append(a.group.assigned.unbroken if a.group.assigned else None)
        assert seen == [False, True, False, False, True]


async def test_a_flood_of_wishes_is_one_rebalance(kafka: str) -> None:
    world = World(kafka)
    world.create(world.source)
    async with member(world, "a") as a:
        await a.until(lambda: settled([a], 4))
        epoch = a.group.epoch
        for _ in range(100):
            a.group.rejoin()
        await a.until(lambda: a.group.epoch > epoch and a.now)
        began = time.monotonic()
        for _ in range(100):
            a.group.rejoin()
        await a.until(lambda: a.group.epoch > epoch + 1 and a.now)
        assert a.group.epoch == epoch + 2
        assert time.monotonic() - began > REJOIN_PAUSE / 2


@asynccontextmanager
async def one_expected(world: World) -> AsyncIterator[tuple[Watched, Watched]]:
    """Two static members, of whom the second has ended, and the group waits for it to come back."""
    world.create(world.source)
    async with member(world, "a", instance_id="one") as a:
        await a.until(lambda: settled([a], 4))
        async with member(world, "b", instance_id="two") as b:
            await b.until(lambda: settled([a, b], 4))
        yield a, b


async def vanish(watched: Watched) -> None:
    """As a process that was killed: no word to anybody."""
    consumer = watched.group.consumer
    consumer._coordinator._maybe_leave_group = _say_nothing  # noqa: SLF001
    await watched.group.close()


async def _say_nothing() -> None:
    return None
