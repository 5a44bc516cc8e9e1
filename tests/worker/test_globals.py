"""Global tables over real topics: complete before anything runs, and up to date from then on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.streams import Builder, Materialized, StreamsConfig, Topology
from app.streams.config import skip
from app.streams.errors import DeserializationError
from app.streams.model import TopicPartition
from app.streams.serdes import json, raw, utf8
from app.worker.globals import GlobalStatistics, GlobalTables
from tests.worker.changelogs import TIME, Cluster, options, until

PARTITIONS = 3


@pytest.fixture
def cluster(kafka: str) -> Cluster:
    return Cluster(kafka)


def made(cluster: Cluster, **config: object) -> Topology:
    builder = Builder(StreamsConfig(application_id=cluster.name, **config))  # type: ignore[arg-type]
    builder.global_table(f"{cluster.name}-names", Materialized("names"), key=utf8, value=json())
    builder.stream(f"{cluster.name}-input", key=raw, value=raw).to(f"{cluster.name}-output")
    return builder.build()


def partition(cluster: Cluster, number: int) -> TopicPartition:
    return TopicPartition(f"{cluster.name}-names", number)


@asynccontextmanager
async def tables(cluster: Cluster, topology: Topology) -> AsyncIterator[GlobalTables]:
    """Loaded by the test; followed from then on until the block ends."""
    async with GlobalTables(topology, options(cluster.server), lambda _: PARTITIONS, exactly_once=True) as found:
        yield found


@asynccontextmanager
async def running(found: GlobalTables) -> AsyncIterator[None]:
    task = asyncio.create_task(found.run())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_all_partitions_are_loaded_and_then_followed(cluster: Cluster) -> None:
    cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
    for number in (0, 2):
        rows = [(b"%d-%d" % (number, key), b'"old"') for key in range(1000)]
        await cluster.write(partition(cluster, number), [*rows, (b"%d-7" % number, None), (b"%d-8" % number, b'"new"')])
    progress: list[tuple[int, int]] = []
    async with tables(cluster, made(cluster)) as found:
        stores = await found.load(lambda read, to_go: progress.append((read, to_go)))
        names = stores["names"]
        assert len(dict(names.all())) == 2 * 999
        assert (names.get("0-7"), names.get("2-8")) == (None, ("new", TIME))
        assert progress[-1] == (2004, 0)
        assert found.statistics() == GlobalStatistics(2004, 0, True)
        async with running(found):
            await cluster.write(partition(cluster, 1), [(b"1-1", b'"later"')])
            await until(lambda: names.get("1-1") is not None, "it follows")
            assert found.statistics().rows == 2005


async def test_an_empty_table_is_complete_at_once(cluster: Cluster) -> None:
    cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
    async with tables(cluster, made(cluster)) as found:
        async with asyncio.timeout(10):
            stores = await found.load()
        assert dict(stores["names"].all()) == {}
        async with running(found):
            await cluster.write(partition(cluster, 0), [(b"a", b"1")])
            await until(lambda: stores["names"].get("a") is not None, "it follows")


async def test_a_topology_without_global_tables_asks_nobody() -> None:
    builder = Builder(StreamsConfig(application_id="app"))
    builder.stream("in", key=raw, value=raw).to("out")
    async with tables(Cluster("nobody:1"), builder.build()) as found:
        assert await found.load() == {}
        assert found.complete
        await found.run()


async def test_rows_of_an_aborted_transaction_are_not_in_it(cluster: Cluster) -> None:
    cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
    await cluster.transact(partition(cluster, 0), [(b"a", b"never")], abort=True)
    await cluster.transact(partition(cluster, 0), [(b"b", b"1")])
    async with tables(cluster, made(cluster)) as found:
        stores = await found.load()
        assert [key for key, _ in stores["names"].all()] == ["b"]


async def test_a_record_that_cannot_be_read_ends_it_or_is_left_out_as_configured(cluster: Cluster) -> None:
    cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
    await cluster.write(partition(cluster, 0), [(b"broken", b"{"), (b"a", b"1")])
    async with tables(cluster, made(cluster)) as strict:
        with pytest.raises(DeserializationError, match="names"):
            await strict.load()
    lenient = made(cluster, deserialization_handler=skip, dead_letter_topic="letters")
    async with tables(cluster, lenient) as found:
        stores = await found.load()
        assert [key for key, _ in stores["names"].all()] == ["a"]
