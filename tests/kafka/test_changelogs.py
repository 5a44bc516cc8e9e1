"""Changelogs read on a real broker: from where they are wanted, past what does not count, and never silently wrong."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition as AdminPartition
from kafka.admin import KafkaAdminClient

from app.errors import BrokerUnavailable
from app.kafka.changelogs import ChangelogReader, Lost, changelog_reader
from app.kafka.fetching import Fetched
from app.streams.model import TopicPartition
from tests.brokers import BrokerUnderTest
from tests.worker.changelogs import Cluster, options

ROWS = [(b"k%d" % number, b"v%d" % number) for number in range(100)]


@pytest.fixture
def cluster(kafka: str) -> Cluster:
    return Cluster(kafka)


def made(cluster: Cluster, name: str = "log", partitions: int = 1, **configs: str) -> TopicPartition:
    cluster.create(f"{cluster.name}-{name}", partitions=partitions, **configs)
    return TopicPartition(f"{cluster.name}-{name}", 0)


async def read_until(
    reader: ChangelogReader, done: Callable[[list[Fetched]], bool], within: float = 20
) -> list[Fetched]:
    found: list[Fetched] = []
    deadline = time.monotonic() + within
    while not done(found):
        assert time.monotonic() < deadline, f"not within {within} s, but {found[-3:]}"
        found += await reader.read(100)
    return found


async def lost_of(reader: ChangelogReader) -> Lost:
    """The first one; nothing is read besides."""
    deadline = time.monotonic() + 20
    while not (lost := reader.take_lost()):
        assert time.monotonic() < deadline, "nothing was lost"
        await reader.read(100)
    return lost[0]


def keys(found: list[Fetched], partition: TopicPartition) -> list[bytes | None]:
    return [row[2] for each in found if each.partition == partition for row in each.rows]


def reached(partition: TopicPartition, position: int) -> Callable[[list[Fetched]], bool]:
    return lambda found: any(each.partition == partition and each.position >= position for each in found)


async def test_a_log_is_read_from_its_beginning_or_from_a_position(cluster: Cluster) -> None:
    log = made(cluster)
    await cluster.write(log, ROWS)
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        assert await reader.ends([log]) == {log: 100}
        reader.follow(log, None)
        found = await read_until(reader, reached(log, 100))
        assert keys(found, log) == [key for key, _ in ROWS]
        assert reader.end(log) == 100
        reader.follow(log, 90)
        found = await read_until(reader, reached(log, 100))
        assert [row[0] for each in found for row in each.rows] == list(range(90, 100)), "and not one record before it"


async def test_others_keep_their_positions_when_logs_come_and_go(cluster: Cluster) -> None:
    first, second, third = made(cluster, "a"), made(cluster, "b"), made(cluster, "c")
    for log in (first, second, third):
        await cluster.write(log, ROWS)
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        reader.follow(first, None)
        found = await read_until(reader, reached(first, 100))
        reader.follow(second, 50)
        found += await read_until(reader, reached(second, 100))
        reader.drop(second)
        reader.follow(third, None)
        await cluster.write(first, [(b"more", b"")])
        await cluster.write(second, [(b"unwanted", b"")])
        found += await read_until(reader, lambda found: reached(first, 101)(found) and reached(third, 100)(found))
        assert keys(found, first) == [*(key for key, _ in ROWS), b"more"], "each record once"
        assert keys(found, second) == [key for key, _ in ROWS[50:]]
        assert keys(found, third) == [key for key, _ in ROWS]


async def test_what_was_not_committed_is_passed_over(cluster: Cluster) -> None:
    log = made(cluster)
    await cluster.transact(log, [(b"a", b"1")])
    await cluster.transact(log, [(b"never", b"1")], abort=True)
    end = 4  # each with its marker
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        assert await reader.ends([log]) == {log: end}
        reader.follow(log, None)
        found = await read_until(reader, reached(log, end))
        assert keys(found, log) == [b"a"]
    async with changelog_reader(options(cluster.server), committed=False) as reader:
        reader.follow(log, None)
        assert keys(await read_until(reader, reached(log, end)), log) == [b"a", b"never"]


async def test_ends_count_what_an_open_transaction_has_written(cluster: Cluster) -> None:
    log = made(cluster)
    await cluster.write(log, ROWS[:10])
    producer = AIOKafkaProducer(**options(cluster.server), transactional_id=cluster.name)
    async with producer, changelog_reader(options(cluster.server), committed=True) as reader:
        await producer.begin_transaction()
        await producer.send_and_wait(log.topic, b"1", key=b"open", partition=0)
        assert await reader.ends([log]) == {log: 11}
        assert await reader.ends([log], committed=True) == {log: 10}
        reader.follow(log, None)
        found = await read_until(reader, reached(log, 10))
        assert max(each.position for each in found) == 10, "it is waited for"
        await producer.commit_transaction()
        found += await read_until(reader, reached(log, 12))
        assert keys(found, log)[-1] == b"open"


async def test_a_position_beyond_the_end_is_lost_and_the_others_are_read(cluster: Cluster) -> None:
    short, long = made(cluster, "short"), made(cluster, "long")
    await cluster.write(short, ROWS[:5])
    await cluster.write(long, ROWS)
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        reader.follow(short, 70)
        reader.follow(long, 70)
        found = await read_until(reader, reached(long, 100))
        assert keys(found, long) == [key for key, _ in ROWS[70:]]
        [lost] = reader.take_lost()
        assert lost.partition == short
        assert "ends at 5, before 70" in str(lost)
        assert reader.take_lost() == []


async def test_a_position_before_the_beginning_is_lost(cluster: Cluster) -> None:
    log = made(cluster)
    await cluster.write(log, ROWS)
    with closing(KafkaAdminClient(bootstrap_servers=cluster.server)) as admin:
        admin.delete_records({AdminPartition(*log): 60})
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        reader.follow(log, 30)
        lost = await lost_of(reader)
        assert "begins at 60, behind 30" in str(lost)
        reader.follow(log, None)
        assert keys(await read_until(reader, reached(log, 100)), log) == [key for key, _ in ROWS[60:]]


async def test_a_log_that_is_cut_off_while_it_is_followed_is_lost(cluster: Cluster) -> None:
    log = made(cluster)
    await cluster.write(log, ROWS)
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        reader.follow(log, 40)
        await read_until(reader, reached(log, 100))
        cluster.delete(log.topic)
        made(cluster)
        await cluster.write(log, ROWS[:5])
        lost = await lost_of(reader)
        assert "ends at 5, before 100" in str(lost)


async def test_a_topic_that_is_not_there_is_said_to_be_not_there(cluster: Cluster) -> None:
    gone = TopicPartition(f"{cluster.name}-nowhere", 0)
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        with pytest.raises(BrokerUnavailable, match=gone.topic):
            await reader.ends([gone])
        reader.follow(gone, None)
        assert "the topic is gone" in str(await lost_of(reader))


async def test_reading_goes_on_when_the_broker_is_back(broker_factory: Callable[..., BrokerUnderTest]) -> None:
    broker = await asyncio.to_thread(broker_factory)
    cluster = Cluster(broker.address)
    log = made(cluster)
    await cluster.write(log, ROWS)
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        reader.follow(log, None)
        found = await read_until(reader, reached(log, 100))
        reading = asyncio.ensure_future(read_until(reader, reached(log, 101), within=60))
        await asyncio.to_thread(broker.restart)
        await cluster.write(log, [(b"after", b"")])
        found += await reading
        assert keys(found, log) == [*(key for key, _ in ROWS), b"after"]


async def test_a_read_under_way_gives_nothing_from_before_a_new_position(cluster: Cluster) -> None:
    log = made(cluster)
    await cluster.write(log, ROWS)
    end = len(ROWS)
    async with changelog_reader(options(cluster.server), committed=True) as reader:
        reader.follow(log, 0)
        await read_until(reader, reached(log, end))
        for turns in range(8):
            reading = asyncio.ensure_future(reader.read(5000))
            await cluster.write(log, [(b"new", b"")])
            while reader.end(log) == end and not reading.done():  # noqa: ASYNC110  # each turn of the loop counts
                await asyncio.sleep(0)
            end += 1
            for _ in range(turns):
                await asyncio.sleep(0)
            is_over = reading.done()
            reader.follow(log, end - 10)
            found = [] if is_over else await reading
            found += await read_until(reader, reached(log, end)) if not found else []
            offsets = [row[0] for each in found for row in each.rows]
            assert offsets == list(range(end - 10, end)), f"after {turns} turns of the loop"
