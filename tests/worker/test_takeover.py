"""From an assignment to running tasks: nothing is missing that somebody may still commit, and nothing comes twice."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from app.kafka.failpoints import Step
from app.state.metadata import read_metadata
from app.streams import Builder, Materialized, Optimization, Reset, StreamsConfig, Topology
from app.streams.model import Offset, TopicPartition
from app.streams.serdes import int64, utf8
from app.worker.worker import Worker
from tests.worker.lived_in import STORE, counting
from tests.worker.working import Site, until, working


def site_of(kafka: str, folder: Path, partitions: int = 1) -> Site:
    site = Site(kafka, folder, lambda builder, here: counting(builder, here.topic("in")), partitions=partitions)
    site.create("in", "in-out")
    return site


def test_a_changelog_is_restored_to_the_end_of_what_may_still_be_committed(kafka: str, tmp_path: Path) -> None:
    """Some commit of a predecessor that is decided but not yet in every log."""
    site = site_of(kafka, tmp_path)
    log = TopicPartition(f"{site.name}-{STORE}-changelog", 0)

    async def main() -> None:
        async with working(site.worker()):
            await site.send("in", [(b"k", b"w")] * 5)
            await site.read("in-out", 5)
        foreign = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=site.name)
        successor = site.worker(tmp_path / "successor")
        async with foreign:
            await foreign.begin_transaction()
            await foreign.send_and_wait(log.topic, (100).to_bytes(8, "big"), key=b"k", partition=0)
            async with working(successor):
                await until(lambda: successor.statistics().restore.remaining == 1, "it waits for one record")
                assert (successor.state, successor.restoring) == ("REBALANCING", 1)
                assert list(successor.not_ready()) == ["streams: restoring 1 of 1 tasks"]
                await foreign.commit_transaction()
                await until(lambda: successor.state == "RUNNING", "it runs")
                await site.send("in", [(b"k", b"w")])
                rows = await site.read("in-out", 6)
        assert int.from_bytes(rows[-1][1], "big") == 101

    asyncio.run(main())


def test_whoever_died_with_offsets_in_hand_holds_nobody_up(kafka: str, tmp_path: Path) -> None:
    """Its transaction is ended by those who take over, long before it times out."""
    site = site_of(kafka, tmp_path, partitions=2)
    site.settings["transaction_timeout_ms"] = 120_000
    armed = False

    def dies(step: Step) -> None:
        if armed and step is Step.OFFSETS_HELD:
            raise SystemError("a bug")

    async def main() -> None:
        nonlocal armed
        one, other = site.worker(), Worker(replace(site.worker().given, failpoint=dies))
        async with working(one):
            dying = asyncio.create_task(other.run(asyncio.Event()))
            await until(lambda: len(one.held()) == len(other.held()) == 1, "a half each")
            await until(lambda: one.state == other.state == "RUNNING", "both run")
            armed = True
            await site.send("in", [(b"k%d" % number, b"w") for number in range(100)])
            with pytest.raises(SystemError):
                await dying
            assert len(await site.read("in-out", 100)) == 100
            await until(lambda: len(one.held()) == 2 and one.state == "RUNNING", "it has both")

    asyncio.run(main())


class Reusing(Site):
    def topology(self) -> Topology:
        config = StreamsConfig(application_id=self.name, optimization=frozenset({Optimization.REUSE_SOURCE_TOPICS}))
        builder = Builder(config)
        self.write(builder, self)
        return builder.build()


def residents(builder: Builder, site: Site) -> None:
    """<in> says where each one lives; <out> how many live there: a move takes one away where it was."""
    builder.table(site.topic("in"), Materialized("homes"), key=utf8, value=utf8).group_by(
        lambda _who, where: (where, where), key=utf8, value=utf8, name="by-place"
    ).count(Materialized("residents")).to_stream().to(site.topic("out"), key=utf8, value=int64)


def test_a_table_is_restored_from_its_own_topic_as_far_as_it_was_processed(kafka: str, tmp_path: Path) -> None:
    site = Reusing(kafka, tmp_path, residents, partitions=1)
    site.create("in", "out")

    async def main() -> None:
        async with working(site.worker()):
            await site.send("in", [(b"ann", b"here"), (b"bob", b"here")])
            await site.read("out", 2)
        await site.send("in", [(b"ann", b"there")])
        async with working(site.worker(tmp_path / "successor")):
            rows = await site.read("out", 4)
        assert sorted((key, int.from_bytes(value, "big")) for key, value in rows[2:]) == [(b"here", 1), (b"there", 1)]

    asyncio.run(main())


def from_now_on(builder: Builder, site: Site) -> None:
    words = builder.stream(site.topic("in"), key=utf8, value=utf8)
    late = builder.stream(site.topic("late"), key=utf8, value=utf8, reset=Reset.LATEST)
    for stream in (words, late):
        stream.to(site.topic("out"), key=utf8, value=utf8)


def test_each_source_begins_where_its_own_rule_says(kafka: str, tmp_path: Path) -> None:
    site = Site(kafka, tmp_path, from_now_on, partitions=1)
    site.create("in", "late", "out")

    async def main() -> None:
        await site.send("late", [(b"k", b"never")] * 3)
        await site.send("in", [(b"k", b"old")] * 3)
        worker = site.worker()
        async with working(worker):
            await until(lambda: len(worker.held()) == 2 and worker.state == "RUNNING", "both tasks run")
            await site.read("out", 3)
            await site.send("late", [(b"k", b"new")])
            rows = await site.read("out", 4)
        assert [value for _, value in rows] == [b"old"] * 3 + [b"new"]

    asyncio.run(main())


def test_the_state_of_a_task_that_moved_away_is_closed(kafka: str, tmp_path: Path) -> None:
    """Whatever ends this process then costs no check, and it tells the group what lies here."""
    site = site_of(kafka, tmp_path / "one", partitions=2)

    async def main() -> None:
        one, other = site.worker(), site.worker(tmp_path / "other")
        async with working(one):
            await site.send("in", [(b"k%d" % number, b"w") for number in range(100)])
            await site.read("in-out", 100)
            assert one.identity is not None
            assert one.identity.slot is not None
            slot, had = one.identity.slot.path, set(one.held())

            def closed(task: object) -> bool:
                found = read_metadata(slot / str(task))
                return found is not None and found.clean

            assert not any(closed(task) for task in had)
            async with working(other):
                await until(lambda: len(one.held()) == 1 and one.state == other.state == "RUNNING", "a half each")
                [moved], [kept] = had - set(one.held()), one.held()
                await until(lambda: closed(moved), "the state of the one that moved is closed")
                assert not closed(kept)

    asyncio.run(main())


def test_after_a_generation_that_nobody_looked_at_a_task_begins_where_the_group_is(kafka: str, tmp_path: Path) -> None:
    """Somebody else may have had it meanwhile, and processed more of its records."""
    site = site_of(kafka, tmp_path)
    source = TopicPartition(site.topic("in"), 0)

    async def main() -> None:
        worker = site.worker()
        async with working(worker):
            await site.send("in", [(b"k", b"w")] * 5)
            await site.read("in-out", 5)
            worker.pause()
            await site.send("in", [(b"k", b"w")] * 2)
            assert worker.stay is not None
            group, rebalances = worker.stay.group, worker.totals.rebalances
            assert group is not None
            assert group.assigned is not None
            await group.commit_offsets({source: Offset(7, "")}, group.assigned.group)
            group.assigned = replace(group.assigned, unbroken=False)
            group.changed.set()
            await until(lambda: worker.totals.rebalances > rebalances, "it is looked at")
            await until(lambda: worker.state == "RUNNING", "it runs")
            worker.resume()
            await site.send("in", [(b"other", b"w")])
            rows = await site.read("in-out", 6)
        assert rows[-1] == (b"other", (1).to_bytes(8, "big"))
        assert worker.totals.processed == 6

    asyncio.run(main())
