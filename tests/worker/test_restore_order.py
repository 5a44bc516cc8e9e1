"""Several restores at a time: which go first, which wait, and what happens to those that cannot come to an end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.state import Slot, StateDamaged, take_slot
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import raw
from app.streams.stores.base import Marks
from app.streams.stores.specs import KeyValueSpec
from app.worker.restoring import STALLED_S
from app.worker.states import States
from tests.worker.changelogs import COUNTS, Cluster, held, opened, restoring, rows_of, topology, until

TASK, OTHER = TaskId(0, 0), TaskId(0, 1)
ROWS = [(b"%04d" % number, b"v%d" % number) for number in range(1000)]


@pytest.fixture
def cluster(kafka: str) -> Cluster:
    return Cluster(kafka)


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    with take_slot(tmp_path, "app") as slot:
        yield slot


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_copies_wait_while_a_task_is_waited_for(cluster: Cluster) -> None:
    made = topology(application=cluster.name)
    cluster.create(made.changelog("counts"), partitions=2)
    mine, copied = (TopicPartition(made.changelog("counts"), number) for number in range(2))
    await cluster.write(mine, ROWS[:10])
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, _):
        copy = await opened(made, states, OTHER)
        restorer.follow(copy)
        active = await opened(made, states, TASK)
        done = restorer.restore(active, {mine: 20})
        await cluster.write(copied, ROWS[:10])
        for count in range(10, 20):
            await until(lambda count=count: len(rows_of(active)) == count, "what there is")  # type: ignore[misc]
            assert rows_of(copy) == {}
            await cluster.write(mine, ROWS[count : count + 1])
        await done
        await until(lambda: len(rows_of(copy)) == 10, "now it is its turn")


async def test_a_changelog_that_goes_while_its_records_are_waited_for_is_looked_at_again(cluster: Cluster) -> None:
    made, clock = topology(application=cluster.name), Clock()
    cluster.create(made.changelog("counts"))
    log = TopicPartition(made.changelog("counts"), 0)
    await cluster.write(log, ROWS[:10])
    async with States(made, None) as states, restoring(cluster.server, states, clock=clock) as (restorer, _):
        active = await opened(made, states, TASK)
        done = restorer.restore(active, {log: 20})
        await until(lambda: len(rows_of(active)) == 10, "what there is")
        cluster.delete(log.topic)
        clock.now += STALLED_S + 1
        with pytest.raises(StateDamaged, match="the topic is gone"):
            async with asyncio.timeout(20):
                await done


async def test_a_copy_whose_changelog_was_recreated_is_given_up_and_named(cluster: Cluster) -> None:
    made = topology(application=cluster.name)
    cluster.create(made.changelog("counts"))
    log = TopicPartition(made.changelog("counts"), 0)
    await cluster.write(log, ROWS[:10])
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, _):
        copy = await opened(made, states, TASK)
        states.bases(TASK)(COUNTS).apply([(b"key", b"of another log")], Marks(500))
        restorer.follow(held(made, states, TASK))
        await until(lambda: bool(restorer.failed), "it is given up")
        assert "ends at 10, before 500" in str(restorer.failed[TASK])
        assert restorer.lag(TASK) is None
        assert restorer.statistics().standby_lag == 0
        await states.condemn(TASK, "recreated")
        await states.close(TASK)
        copy = await opened(made, states, TASK)
        restorer.follow(copy)
        await until(lambda: len(rows_of(copy)) == 10, "made anew, it follows")
        assert restorer.failed == {}


async def test_stores_that_share_a_log_are_led_on_from_the_one_that_is_behind(cluster: Cluster, slot: Slot) -> None:
    other = KeyValueSpec(name="other", key=raw, value=raw)
    made = topology(COUNTS, other, application=cluster.name)
    for store in ("counts", "other"):
        made.restore_from(store, f"{cluster.name}-input")
    log = TopicPartition(f"{cluster.name}-input", 0)
    cluster.create(log.topic)
    await cluster.write(log, ROWS[:10])
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        await opened(made, states, TASK)
        states.bases(TASK)(COUNTS).apply([], Marks(8))
        states.bases(TASK)(other).apply([], Marks(4))
        kept = held(made, states, TASK)
        await restorer.restore(kept, {log: 10})
        assert rows_of(kept, "other") == dict(ROWS[4:10])
        assert rows_of(kept) == dict(ROWS[4:10]), "rows that come again change nothing"


async def test_what_was_restored_when_a_restore_is_stopped_between_two_slices_is_kept(
    cluster: Cluster, tmp_path: Path
) -> None:
    """With the position that belongs to it, in the middle of what one fetch brought."""
    made, log = topology(application=cluster.name), TopicPartition(f"{cluster.name}-counts-changelog", 0)
    cluster.create(log.topic)
    await cluster.write(log, [(b"%06d" % number, b"v" * 50) for number in range(50_000)])
    with take_slot(tmp_path, "app") as slot:
        async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
            kept = await opened(made, states, TASK)
            restorer.restore(kept, {log: 50_000})
            async with asyncio.timeout(20):
                while not restorer.statistics().rows:  # noqa: ASYNC110  # each turn of the loop counts
                    await asyncio.sleep(0)
            found = restorer.statistics()
            assert found.rows_per_s > 0
            assert found.remaining > 0
            restorer.stop(TASK)
            assert restorer.statistics().rows_per_s == 0
        async with States(made, slot) as states:
            kept = await opened(made, states, TASK)
            position = states.positions(TASK)["counts"]
            assert position is not None
            assert len(rows_of(kept)) == position == found.rows
