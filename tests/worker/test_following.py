"""Copies that follow their changelogs: as far as they may, from one life to the next, and on a disk that is full."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.kafka.changelogs import changelog_reader
from app.state import Slot, StateUnwritable, take_slot
from app.streams.model import TaskId, TopicPartition
from app.worker.restoring import Restorer
from app.worker.states import States
from tests.worker.changelogs import Cluster, changelog, held, opened, options, restoring, rows_of, topology, until

TASK = TaskId(0, 0)
ROWS = [(b"%04d" % number, b"v%d" % number) for number in range(1000)]


@pytest.fixture
def cluster(kafka: str) -> Cluster:
    return Cluster(kafka)


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    with take_slot(tmp_path, "app") as slot:
        yield slot


async def test_a_standby_follows_and_becomes_active_without_reading_again(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.write(log, ROWS)
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        standby = await opened(made, states, TASK)
        restorer.follow(standby)
        await until(lambda: restorer.lag(TASK) == 0, "the standby has caught up")
        await cluster.write(log, [(b"live", b"1")])
        await until(lambda: b"live" in rows_of(standby), "it follows")
        await cluster.write(log, [(b"last", b"1")])
        active = held(made, states, TASK)
        await restorer.restore(active, {log: 1002})
        assert rows_of(active) == {**dict(ROWS), b"live": b"1", b"last": b"1"}
        found = restorer.statistics()
        assert (found.rows + found.standby_rows, found.standby_lag) == (1002, 0)


async def test_a_standby_of_a_source_topic_stays_behind_what_was_committed(cluster: Cluster) -> None:
    made = topology(application=cluster.name)
    made.restore_from("counts", f"{cluster.name}-input")
    log = changelog(cluster, made)
    await cluster.write(log, ROWS)
    committed = 300

    async def limits(_: object) -> dict[TopicPartition, int]:
        return {log: committed}

    async with States(made, None) as states, restoring(cluster.server, states, limits=limits) as (restorer, _):
        kept = await opened(made, states, TASK)
        restorer.follow(kept)
        await until(lambda: len(rows_of(kept)) == 300, "it follows as far as it may")
        committed = 900
        await until(lambda: len(rows_of(kept)) == 900, "it goes on")


async def test_a_life_that_ends_leaves_its_standbys_to_the_next(cluster: Cluster) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, _):
        first = await opened(made, states, TASK)
        restorer.follow(first)
        await cluster.write(log, ROWS[:10])
        await until(lambda: len(rows_of(first)) == 10, "it follows")
        again = held(made, states, TASK)
        restorer.follow(again)
        await cluster.write(log, ROWS[10:20])
        await until(lambda: len(rows_of(again)) == 20, "the new task follows over the same rows")
        assert rows_of(again) == dict(ROWS[:20])


async def test_nobody_waits_while_it_is_open_what_is_committed_of_a_source_topic(cluster: Cluster) -> None:
    """The transaction of an instance that was killed holds its offsets until somebody ends it."""
    made = topology(application=cluster.name)
    made.restore_from("counts", f"{cluster.name}-input")
    topic = changelog(cluster, made, partitions=2).topic
    followed, restored = TopicPartition(topic, 0), TopicPartition(topic, 1)
    asked, settled = asyncio.Event(), asyncio.Event()

    async def limits(_: object) -> dict[TopicPartition, int]:
        if not asked.is_set():
            asked.set()
            await settled.wait()
            raise TimeoutError("not settled")
        return {followed: len(ROWS)}

    for log in (followed, restored):
        await cluster.write(log, ROWS)
    async with States(made, None) as states, restoring(cluster.server, states, limits=limits) as (restorer, _):
        copy = await opened(made, states, TaskId(0, 0))
        restorer.follow(copy)
        active = await opened(made, states, TaskId(0, 1))
        async with asyncio.timeout(20):
            await asked.wait()
            await restorer.restore(active, {restored: 700})
        assert rows_of(active) == dict(ROWS[:700])
        assert rows_of(copy) == {}
        settled.set()
        await until(lambda: rows_of(copy) == dict(ROWS), "it is asked again")


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_standby_on_a_full_disk_ends_it_and_keeps_what_it_has(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.write(log, [(b"%06d" % number, b"v" * 100) for number in range(20_000)])
    async with States(made, slot) as states, changelog_reader(options(cluster.server), committed=True) as reader:
        restorer = Restorer(reader, states)
        restorer.follow(await opened(made, states, TASK))
        with small_disk(1 << 20), pytest.raises(StateUnwritable):
            async with asyncio.timeout(20):
                await restorer.run()
        assert restorer.failed == {}, "nobody makes it anew: that takes more room"
        assert not states.condemned(TASK)
