"""The worker on a real Kafka: from records in to committed records out, over rebalances and restarts."""

import asyncio
from collections import Counter
from contextlib import closing
from pathlib import Path

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from app.streams import Builder, JoinWindows, Materialized, StreamJoined, seconds
from app.streams.serdes import int64, utf8
from tests.worker.working import Site, until, working


def counts(builder: Builder, site: Site) -> None:
    builder.stream(site.topic("in"), key=utf8, value=utf8).group_by(
        lambda _key, value: value, name="by-value", key=utf8, value=utf8
    ).count(Materialized("counts")).to_stream().to(site.topic("out"), key=utf8, value=int64)


def site_of(kafka: str, tmp_path: Path) -> Site:
    site = Site(kafka, tmp_path, counts)
    site.create("in", "out")
    return site


def last(rows: list[tuple[bytes, bytes]]) -> dict[str, int]:
    return {key.decode(): int.from_bytes(value, "big") for key, value in rows}


def test_counts_come_out_once(kafka: str, tmp_path: Path) -> None:
    async def main() -> None:
        site = site_of(kafka, tmp_path)
        words = [f"w{number % 7}" for number in range(1000)]
        async with working(site.worker()):
            await site.send("in", [(str(at).encode(), word.encode()) for at, word in enumerate(words)])
            rows = await site.read("out", 1000)
        seen: Counter[bytes] = Counter()
        for key, value in rows:
            seen[key] += 1
            assert int.from_bytes(value, "big") == seen[key]
        assert last(rows) == Counter(words)

    asyncio.run(main())


def test_a_restart_goes_on_where_it_was(kafka: str, tmp_path: Path) -> None:
    async def main() -> None:
        site = site_of(kafka, tmp_path)
        for turn in range(3):
            async with working(site.worker()):
                await site.send("in", [(b"k", b"w")] * 100)
                rows = await site.read("out", 100 * (turn + 1))
        assert [int.from_bytes(value, "big") for _, value in rows] == list(range(1, 301))

    asyncio.run(main())


def test_a_second_one_takes_a_share_and_the_first_one_takes_it_back(kafka: str, tmp_path: Path) -> None:
    async def main() -> None:
        site = site_of(kafka, tmp_path)
        one, other = site.worker(), site.worker()
        async with working(one):
            await site.send("in", [(str(at).encode(), f"w{at % 5}".encode()) for at in range(500)])
            await until(lambda: len(one.held()) == 4, "the first one has all tasks")
            async with working(other):
                await until(lambda: len(other.held()) == 2 and other.state == "RUNNING", "the second one has two")
                await site.send("in", [(str(at).encode(), f"w{at % 5}".encode()) for at in range(500)])
                await site.read("out", 1000)
            await until(lambda: len(one.held()) == 4 and one.state == "RUNNING", "the first one has all again")
            await site.send("in", [(str(at).encode(), f"w{at % 5}".encode()) for at in range(500)])
            rows = await site.read("out", 1500)
        seen: Counter[bytes] = Counter()
        for key, value in rows:
            seen[key] += 1
            assert int.from_bytes(value, "big") == seen[key]

    asyncio.run(main())


def joined(builder: Builder, site: Site) -> None:
    left = builder.stream(site.topic("left"), key=utf8, value=utf8)
    right = builder.stream(site.topic("right"), key=utf8, value=utf8)
    left.join(
        right, lambda one, other: f"{one}{other}", JoinWindows.within(seconds(60)), StreamJoined(utf8, utf8, utf8)
    ).to(site.topic("out"), key=utf8, value=utf8)


def test_a_task_with_two_sources_does_not_wait_for_the_quiet_one(kafka: str, tmp_path: Path) -> None:
    async def main() -> None:
        site = Site(kafka, tmp_path, joined, partitions=1)
        site.create("left", "right", "out")
        async with working(site.worker()):
            await site.send("left", [(b"k", b"a")])
            await site.send("right", [(b"k", b"1")])
            await site.read("out", 1)
            await site.send("left", [(b"k", b"b")])  # nothing more ever comes to the right
            rows = await site.read("out", 2)
        assert rows == [(b"k", b"a1"), (b"k", b"b1")]

    asyncio.run(main())


def test_a_task_with_two_sources_does_not_wait_for_one_that_was_always_empty(kafka: str, tmp_path: Path) -> None:
    """No fetch of it ever brings anything that would tell."""

    async def main() -> None:
        site = Site(kafka, tmp_path, joined, partitions=1)
        site.create("left", "right", "out")
        worker = site.worker()
        async with working(worker):
            await site.send("left", [(b"k", b"a")])
            await until(lambda: worker.totals.processed == 1, "it is processed")

    asyncio.run(main())


def test_records_that_are_gone_from_the_log_are_passed_over(kafka: str, tmp_path: Path) -> None:
    async def main() -> None:
        site = Site(kafka, tmp_path, counts, partitions=1)
        site.create("in", "out")
        async with working(site.worker()):
            await site.send("in", [(b"k", b"w")] * 100)
            await site.read("out", 100)
        await site.send("in", [(b"k", b"w")] * 100)
        with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
            admin.delete_records({TopicPartition(site.topic("in"), 0): 150})
        async with working(site.worker()):
            rows = await site.read("out", 150)
            await site.send("in", [(b"k", b"w")])
            rows = await site.read("out", 151)
        assert [int.from_bytes(value, "big") for _, value in rows] == list(range(1, 152))

    asyncio.run(main())
