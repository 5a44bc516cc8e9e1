"""How far a global table is read before it counts as complete, and what happens when its topic is no more."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from app.errors import BrokerUnavailable
from app.streams.errors import DeserializationError
from tests.worker.changelogs import Cluster, options, until
from tests.worker.test_globals import PARTITIONS, made, partition, tables


@pytest.fixture
def cluster(kafka: str) -> Cluster:
    return Cluster(kafka)


async def test_a_transaction_that_somebody_holds_open_is_not_waited_for(cluster: Cluster) -> None:
    """Nothing would run until it ends; what it commits comes later, as any record does."""
    cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
    await cluster.write(partition(cluster, 0), [(b"a", b"1")])
    producer = AIOKafkaProducer(**options(cluster.server), transactional_id=cluster.name)
    async with producer, tables(cluster, made(cluster)) as found:
        await producer.begin_transaction()
        await producer.send_and_wait(f"{cluster.name}-names", b"2", key=b"b", partition=0)
        async with asyncio.timeout(20):
            names = (await found.load())["names"]
        assert [key for key, _ in names.all()] == ["a"]
        await producer.commit_transaction()
        following = asyncio.create_task(found.run())
        await until(lambda: names.get("b") is not None, "it follows")
        following.cancel()
        await asyncio.wait({following})


async def test_a_topic_that_is_made_anew_ends_it(cluster: Cluster) -> None:
    """Whoever reads the tables must not go on with rows of a topic that is no more."""
    cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
    await cluster.write(partition(cluster, 0), [(b"a", b"1")] * 5)
    async with tables(cluster, made(cluster)) as found:
        await found.load()
        cluster.delete(f"{cluster.name}-names")
        cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
        await cluster.write(partition(cluster, 0), [(b"b", b"2")])
        with pytest.raises(BrokerUnavailable, match="cannot be kept up to date"):
            async with asyncio.timeout(30):
                await found.run()


async def test_a_record_that_cannot_be_read_is_named_by_its_own_partition(cluster: Cluster) -> None:
    cluster.create(f"{cluster.name}-names", partitions=PARTITIONS)
    await cluster.write(partition(cluster, 2), [(b"a", b"1"), (b"broken", b"{")])
    async with tables(cluster, made(cluster)) as found:
        with pytest.raises(DeserializationError, match=f"{cluster.name}-names/2@1"):
            await found.load()
