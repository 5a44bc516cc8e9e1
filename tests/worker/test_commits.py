"""When is committed, and what that lets go: between two intervals, at a stop, before a rebalance."""

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from app.kafka.log_bounds import log_bounds
from app.kafka.transactions import TransactionalProducer
from app.streams import Builder, Clock, Materialized, ProcessorContext, Record
from app.streams.model import TopicPartition
from app.streams.serdes import int64, utf8
from app.worker.worker import Worker
from tests.worker.lived_in import counting
from tests.worker.working import Site, until, working

NEVER_MS = 600_000
OVERLAY_ROWS = 100


class Asking:
    """Passes everything on; asks for a commit at the word `now`. By the clock it says `tick`, once."""

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._ticking = context.schedule(20, Clock.WALL_CLOCK, self._tick)

    def process(self, record: Record[str, str]) -> None:
        self._context.forward(record)
        if record.value == "now":
            self._context.commit()

    def _tick(self, now: int) -> None:
        self._ticking.cancel()
        self._context.forward(Record("k", "tick", now, ()))


def asking(builder: Builder, site: Site) -> None:
    words = builder.stream(site.topic("in"), key=utf8, value=utf8)
    words.process(Asking).to(site.topic("out"), key=utf8, value=utf8)
    words.group_by_key().count(Materialized("counts"))


async def stays(what: Callable[[], int], value: int) -> None:
    """As far as a moment tells."""
    for _ in range(15):
        assert what() == value
        await asyncio.sleep(0.02)


def test_between_intervals_when_asked_for_when_much_has_changed_and_at_the_end(kafka: str, tmp_path: Path) -> None:
    site = Site(kafka, tmp_path, asking, partitions=1)
    site.create("in", "out")

    async def main() -> None:
        worker = site.worker(commit_interval_ms=NEVER_MS, max_overlay_rows=OVERLAY_ROWS)
        async with working(worker):
            await until(lambda: worker.statistics().punctuations == 1, "the clock is looked at without a record")
            await site.send("in", [(b"k", b"word")] * 10)
            await until(lambda: worker.totals.processed == 10, "all are processed")
            assert worker.totals.commits.count == 0
            await site.send("in", [(b"k", b"now")])
            assert len(await site.read("out", 12)) == 12
            commits = worker.totals.commits.count
            await site.send("in", [(b"k%d" % number, b"word") for number in range(2 * OVERLAY_ROWS)])
            await until(lambda: worker.totals.commits.count > commits, "it is early")
            await until(lambda: worker.totals.processed == 11 + 2 * OVERLAY_ROWS, "all are processed")
            worker.pause()
            await site.send("in", [(b"k", b"last")] * 3)
            await stays(lambda: worker.totals.processed, 11 + 2 * OVERLAY_ROWS)
            worker.resume()
            await until(lambda: worker.totals.processed == 14 + 2 * OVERLAY_ROWS, "it goes on")
        assert [value for _, value in await site.read("out", 15 + 2 * OVERLAY_ROWS)][-3:] == [b"last"] * 3

    asyncio.run(main())


def test_what_a_commit_will_hold_is_announced_before_it(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(kafka, tmp_path, lambda builder, here: counting(builder, here.topic("in")), partitions=1)
    site.create("in", "in-out")
    announced: list[set[TopicPartition]] = []
    announce, commit = TransactionalProducer.announce, TransactionalProducer.commit
    late: list[set[Any]] = []

    def announcing(self: TransactionalProducer, partitions: Iterable[TopicPartition], group: Any) -> None:
        announced.append(given := set(partitions))
        announce(self, given, group)

    async def committing(self: TransactionalProducer, offsets: Any, group: Any) -> Any:
        manager = vars(vars(self)["_producer"])["_txn_manager"]
        late.append({*manager.partitions_to_add()} | ({"the group"} if manager.is_empty_transaction() else set()))
        return await commit(self, offsets, group)

    monkeypatch.setattr(TransactionalProducer, "announce", announcing)
    monkeypatch.setattr(TransactionalProducer, "commit", committing)

    async def main() -> None:
        async with working(site.worker(commit_interval_ms=1_000)):
            await site.send("in", [(b"k", b"word")] * 10)
            assert len(await site.read("in-out", 10)) == 10

    asyncio.run(main())
    logs = {TopicPartition(f"{site.name}-{store}-changelog", 0) for store in ("counts", "windows")}
    assert announced == [{TopicPartition(site.topic("in-out"), 0), *logs}]
    assert late == [set()]


def repartitioned(builder: Builder, site: Site) -> None:
    builder.stream(site.topic("in"), key=utf8, value=utf8).group_by(
        lambda _key, value: value, name="by-value", key=utf8, value=utf8
    ).count(Materialized("counts")).to_stream().to(site.topic("out"), key=utf8, value=int64)


def test_what_was_repartitioned_and_committed_is_purged(kafka: str, tmp_path: Path) -> None:
    site = Site(kafka, tmp_path, repartitioned, partitions=1)
    site.create("in", "out")
    between = TopicPartition(f"{site.name}-by-value-repartition", 0)

    async def main() -> None:
        worker = site.worker()
        async with working(worker):
            await site.send("in", [(b"k", b"word")] * 10)
            await site.read("out", 10)
            async with log_bounds(site.options) as bounds, asyncio.timeout(20):
                while (await bounds.begins([between]))[between] < 10:
                    await worker.given.purger.purge()

    asyncio.run(main())


def slow(builder: Builder, site: Site) -> None:
    def slowly(_key: str, value: str) -> str:
        time.sleep(0.01)
        return value

    words = builder.stream(site.topic("in"), key=utf8, value=utf8)
    words.map_values(slowly).to(site.topic("out"), key=utf8, value=utf8)


def test_at_least_once_outputs_are_there_long_before_the_commit(kafka: str, tmp_path: Path) -> None:
    """When there is nothing else to do; and while there always is, after a moment."""
    site = Site(kafka, tmp_path, slow, partitions=1)
    site.create("in", "out")

    async def main() -> None:
        worker = site.worker(guarantee="at_least_once", commit_interval_ms=NEVER_MS)
        await site.send("in", [(b"k", b"word")] * 300)
        async with working(worker):
            await site.read("out", 1)
            assert worker.totals.processed < 300
            for _ in range(20):
                await site.send("in", [(b"k", b"word")])
            await site.read("out", 320)
            assert worker.totals.commits.count == 0

    asyncio.run(main())


def test_at_least_once_doubles_nothing_while_nobody_fails(kafka: str, tmp_path: Path) -> None:
    """Whoever gives a task away, or ends, has committed what it did, although its interval is long."""
    site = Site(kafka, tmp_path, lambda builder, here: counting(builder, here.topic("in")))
    site.create("in", "in-out")
    words = [(b"k%d" % number, b"w") for number in range(100)]

    def worker() -> Worker:
        return site.worker(guarantee="at_least_once", commit_interval_ms=NEVER_MS)

    async def main() -> None:
        one, other = worker(), worker()
        async with working(one):
            await site.send("in", words)
            await until(lambda: one.totals.processed == 100, "the first one has all")
            async with working(other):
                await until(lambda: len(other.held()) == 1 == len(one.held()), "a half each")
                await until(lambda: other.state == one.state == "RUNNING", "both run")
                await site.send("in", words)
                await until(lambda: one.totals.processed + other.totals.processed == 200, "each record once")
            await until(lambda: len(one.held()) == 2 and one.state == "RUNNING", "the first one has all again")
            await site.send("in", words)
            await until(lambda: one.totals.processed + other.totals.processed == 300, "each record once")
        async with working(worker()):
            await site.send("in", words)
            rows = await site.read("in-out", 400)
        assert sorted((key, int.from_bytes(value, "big")) for key, value in rows) == sorted(
            (key, nth) for key, _ in words for nth in range(1, 5)
        )

    asyncio.run(main())
