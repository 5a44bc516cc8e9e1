"""Copies that follow, tables that every process has, members that keep their name, topics that grow."""

import asyncio
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient, NewPartitions

from app.errors import ConfigError
from app.streams import Builder, Materialized
from app.streams.serdes import utf8
from app.worker.held import TaskPhase
from app.worker.worker import Worker
from tests.faults.lives import living
from tests.tail import Tail, tailing
from tests.worker.lived_in import counting, environment
from tests.worker.working import Site, until, working

KEYS = 500
PARTITIONS = 2


class Attentive(Site):
    """Its clients look at the topics more often than every 30 seconds."""

    @property
    def options(self) -> dict[str, Any]:
        return {**super().options, "metadata_max_age_ms": 500}


def site_of(kafka: str, folder: Path) -> Site:
    site = Attentive(kafka, folder, lambda builder, here: counting(builder, here.topic("in")), partitions=PARTITIONS)
    site.create("in", "in-out")
    return site


def words() -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % number, b"w") for number in range(KEYS)]


def exact(outputs: Tail, times: int) -> bool:
    """Whether each key was counted so often; fails as soon as one was counted otherwise than once a record."""
    outputs.more(timeout_ms=20)
    seen: dict[bytes, int] = {}
    for record in outputs.records:
        seen[record.key] = seen.get(record.key, 0) + 1
        assert int.from_bytes(record.value, "big") == seen[record.key], record
    return len(seen) == KEYS and set(seen.values()) == {times}


def phase(worker: Worker, phase: TaskPhase) -> int:
    return sum(held.phase is phase for held in worker.held().values())


def test_a_copy_takes_over_with_nothing_to_restore(kafka: str, tmp_path: Path) -> None:
    """The owner is killed: nobody is told anything."""
    site = site_of(kafka, tmp_path / "state")
    settings = environment(kafka, site.name, site.topic("in"), tmp_path / "state", APP_STREAMS__STANDBYS="1")

    async def main() -> None:
        worker = site.worker(standbys=1)
        with living(tmp_path, settings) as owner, tailing(kafka, site.topic("in-out")) as outputs:
            async with working(worker):
                await site.send("in", words())
                await until(
                    lambda: (phase(worker, TaskPhase.RUNNING), phase(worker, TaskPhase.STANDBY)) == (1, 1),
                    "each has one of each",
                )
                await until(lambda: exact(outputs, 1), "all are counted")
                await site.send("in", words())
                await until(lambda: exact(outputs, 2), "all are counted twice")
                restore = worker.statistics().restore
                await until(lambda: worker.statistics().restore.standby_rows > 0, "the copy follows")
                await until(lambda: worker.statistics().restore.standby_lag == 0, "the copy is up to date")
                owner.end(signal.SIGKILL)
                await site.send("in", words())
                await until(lambda: phase(worker, TaskPhase.RUNNING) == 2, "it has both")
                await until(lambda: exact(outputs, 3), "all are counted three times")
                assert worker.statistics().restore.rows - restore.rows <= 4

    asyncio.run(main())


def joined(builder: Builder, site: Site) -> None:
    names = builder.global_table(site.topic("names"), Materialized("names"), key=utf8, value=utf8)
    builder.stream(site.topic("in"), key=utf8, value=utf8).join(
        names, lambda word, name: f"{word}={name}", selector=lambda _key, word: word
    ).to(site.topic("out"), key=utf8, value=utf8)


def test_a_global_table_is_there_before_the_first_record_is_joined(kafka: str, tmp_path: Path) -> None:
    site = Site(kafka, tmp_path, joined, partitions=PARTITIONS)
    site.create("in", "names", "out")

    async def main() -> None:
        await site.send("names", [(b"w%d" % number, b"n%d" % number) for number in range(1000)])
        await site.send("in", [(b"k%d" % number, b"w%d" % number) for number in range(1000)])
        worker = site.worker()
        async with working(worker):
            rows = await site.read("out", 1000)
            assert sorted(value for _, value in rows) == sorted(b"w%d=n%d" % (at, at) for at in range(1000))
            await site.send("names", [(b"w0", b"new")])
            store = worker.global_stores()["names"]
            await until(lambda: store.get("w0")[0] == "new" if store.get("w0") else False, "it follows its topic")
            await site.send("in", [(b"k", b"w0")])
            assert (await site.read("out", 1001))[-1][1] in (b"w0=new",)

    asyncio.run(main())


def test_a_static_member_that_comes_back_in_time_moves_nothing(kafka: str, tmp_path: Path) -> None:
    site = site_of(kafka, tmp_path / "state")

    async def main() -> None:
        stays = site.worker(instance_id="one", session_timeout_ms=15_000)
        with tailing(kafka, site.topic("in-out")) as outputs:
            async with working(stays):
                async with working(site.worker(instance_id="two", session_timeout_ms=15_000)):
                    await until(lambda: phase(stays, TaskPhase.RUNNING) == 1 and len(stays.peers()) == 2, "a half each")
                    await site.send("in", words())
                    await until(lambda: exact(outputs, 1), "all are counted")
                before = stays.totals.rebalances, set(stays.held())
                await site.send("in", words())
                again = site.worker(instance_id="two", session_timeout_ms=15_000)
                async with working(again):
                    await until(lambda: exact(outputs, 2), "all are counted twice")
                    assert (stays.totals.rebalances, set(stays.held())) == before
                    assert phase(again, TaskPhase.RUNNING) == 1

    asyncio.run(main())


def passing(builder: Builder, site: Site) -> None:
    builder.stream(site.topic("in"), key=utf8, value=utf8).to(site.topic("out"), key=utf8, value=utf8)


def grow(site: Site, topic: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=site.server)) as admin:
        admin.create_partitions({site.topic(topic): NewPartitions(PARTITIONS + 1)})


def test_partitions_that_come_later_are_read_by_a_topology_without_tables(kafka: str, tmp_path: Path) -> None:
    site = Attentive(kafka, tmp_path, passing, partitions=PARTITIONS)
    site.create("in", "out")

    async def main() -> None:
        worker = site.worker()
        async with working(worker):
            await until(lambda: phase(worker, TaskPhase.RUNNING) == PARTITIONS, "it runs")
            grow(site, "in")
            await until(lambda: phase(worker, TaskPhase.RUNNING) == PARTITIONS + 1, "the new partition has a task")
            await site.send("in", [(b"k", b"late")], partition=PARTITIONS)
            assert await site.read("out", 1) == [(b"k", b"late")]

    asyncio.run(main())


def test_partitions_that_do_not_fit_the_tables_any_more_are_refused(kafka: str, tmp_path: Path) -> None:
    """Keys would be counted apart from their tables: it ends, and says what to do, at every start."""
    site = site_of(kafka, tmp_path / "state")

    async def main() -> None:
        worker = site.worker()
        task = asyncio.create_task(worker.run(asyncio.Event()))
        await until(lambda: phase(worker, TaskPhase.RUNNING) == PARTITIONS, "it runs")
        grow(site, "in")
        async with asyncio.timeout(20):
            with pytest.raises(ConfigError, match=r"-counts-changelog has 2 partitions.*reset"):
                await task
        with pytest.raises(ConfigError, match=r"-counts-changelog has 2 partitions.*reset"):
            await site.worker().run(asyncio.Event())

    asyncio.run(main())
