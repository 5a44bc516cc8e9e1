"""Rows as a broker has them: what is fetched is what aiokafka's own interface gives, and nothing gets lost."""

import asyncio
import random
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from app.broker import Extra
from app.kafka import fetching
from app.kafka.closing import close
from app.kafka.compat_rows import read
from app.kafka.fetching import CorruptBatch, Fetched, OffsetOutOfRange, end, fetch, pause, position, resume, seek
from app.kafka.transactions import TransactionOptions, transactional_producer
from app.streams.model import Inbound, TopicPartition
from tests.brokers import BrokerUnderTest
from tests.kafka.logs import START_MS, Log, fetched_until, joined, rows


@pytest.mark.parametrize("isolation_level", ["read_committed", "read_uncommitted"])
@pytest.mark.parametrize("max_batches", [1, 8])
async def test_a_log_with_everything_in_it_reads_as_by_aiokafka(
    kafka: str, isolation_level: str, max_batches: int
) -> None:
    log = Log(kafka, partitions=2)
    log.create()
    drawn = random.Random(20_261_122)
    for number in range(24):
        values = [b"%d-%d" % (number, item) for item in range(drawn.randint(1, 8))]
        partition = drawn.randrange(2)
        match drawn.choice(["commit", "abort", "plain"]):
            case "plain":
                await log.append(
                    [[(0, START_MS + number, None, value, (("h", None), ("", b"x"))) for value in values]], partition
                )
            case outcome:
                await log.transact(values, commit=outcome == "commit", partition=partition)
    judged = await log.judged(isolation_level)
    async with log.reader(isolation_level) as consumer:
        found = await fetched_until(consumer, {tp: end for tp, (_, end) in judged.items()}, max_batches=max_batches)
        for where, (expected, reached) in judged.items():
            assert joined(found[where]) == expected
            assert found[where][-1].position == found[where][-1].end == reached
            assert (position(consumer, where), end(consumer, where)) == (reached, reached)


async def test_an_end_of_markers_alone_moves_the_position(kafka: str) -> None:
    log = Log(kafka)
    log.create()
    (partition,) = log.all
    await log.transact([b"never"], commit=False)
    async with log.reader() as consumer:
        assert position(consumer, partition) == 0
        passed = (await fetched_until(consumer, {partition: 2}))[partition]
        assert (joined(passed), passed[-1]) == ([], Fetched(partition, [], 2, 2))
        await log.transact([b"kept"], commit=True)
        parts = await fetched_until(consumer, {partition: 4})
        assert [row[3] for row in joined(parts[partition])] == [b"kept"]


async def test_a_producer_that_aborts_and_then_commits_is_read_from_there_on(kafka: str) -> None:
    log = Log(kafka)
    log.create()
    (partition,) = log.all
    async with transactional_producer(log.options, TransactionOptions(log.topic)) as producer:
        for value in (b"never", b"kept", b"not this", b"nor this", b"kept too"):
            producer.begin()
            batch = producer.create_batch()
            batch.append(timestamp=START_MS, key=None, value=value, headers=[])
            await (await producer.send_batch(batch, log.topic, 0))
            await (producer.commit({}, None) if value.startswith(b"kept") else producer.abort())
    async with log.reader() as consumer:
        found = (await fetched_until(consumer, {partition: 10}))[partition]
    assert [row[3] for row in joined(found)] == [b"kept", b"kept too"]


async def test_an_open_transaction_holds_the_end_back(kafka: str) -> None:
    log = Log(kafka)
    log.create()
    (partition,) = log.all
    await log.append([rows(2)])
    async with transactional_producer(log.options, TransactionOptions(f"{log.topic}-open")) as producer:
        producer.begin()
        batch = producer.create_batch()
        batch.append(timestamp=START_MS, key=None, value=b"open", headers=[])
        await (await producer.send_batch(batch, log.topic, 0))
        async with log.reader() as committed, log.reader("read_uncommitted") as uncommitted:
            assert [part.end for part in (await fetched_until(committed, {partition: 2}))[partition]] == [2]
            assert (await fetched_until(uncommitted, {partition: 3}))[partition][-1].end == 3


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_batches(kafka: str, compression: str) -> None:
    log = Log(kafka)
    log.create()
    (partition,) = log.all
    written = rows(500, headers=(("trace", b"1"), ("none", None)))
    await log.append([written[:300], written[300:]], compression=compression)
    async with log.reader() as consumer:
        found = joined((await fetched_until(consumer, {partition: 500}))[partition])
    assert found == [(offset, *written[offset][1:]) for offset in range(500)]


async def test_log_append_time_is_the_timestamp_of_all_rows_of_a_batch(kafka: str) -> None:
    log = Log(kafka)
    log.create(**{"message.timestamp.type": "LogAppendTime"})
    (partition,) = log.all
    before = time.time_ns() // 1_000_000
    await log.append([rows(3)], compression="zstd")
    async with log.reader() as consumer:
        found = joined((await fetched_until(consumer, {partition: 3}))[partition])
    after = time.time_ns() // 1_000_000
    (stamp,) = {timestamp for _, timestamp, *_ in found}
    assert before <= stamp <= after


async def test_a_position_within_a_batch(kafka: str) -> None:
    log = Log(kafka)
    log.create()
    (partition,) = log.all
    await log.append([rows(10), rows(3)])
    async with log.reader() as consumer:
        seek(consumer, partition, 7)
        found = joined((await fetched_until(consumer, {partition: 13}))[partition])
    assert [row[0] for row in found] == [7, 8, 9, 10, 11, 12]


async def test_what_compaction_has_left(broker_factory: Callable[..., BrokerUnderTest]) -> None:
    broker = broker_factory(Extra(restart=False, properties={"log.cleaner.backoff.ms": "100"}))
    log = Log(broker.address)
    log.create(**{"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"})
    (partition,) = log.all
    one: list[Inbound] = [(0, START_MS, b"key-%d" % (number % 7), b"%d" % number, ()) for number in range(40)]
    await log.append([one[:30], one[30:]])
    await log.transact([b"x", b"y"], commit=False)
    async with asyncio.timeout(60):
        while True:
            await log.append([[(0, START_MS, b"roll", b"", ())]])  # a segment is rolled when something is appended
            judged, reached = (await log.judged("read_committed"))[partition]
            kept = [row[0] for row in judged if row[2] != b"roll"]
            if kept == list(range(33, 40)):
                break
            await asyncio.sleep(0.2)
    async with log.reader() as consumer:
        found = await fetched_until(consumer, {partition: reached})
        assert joined(found[partition])[: len(kept)] == judged[: len(kept)]


def test_a_marker_that_compaction_has_emptied_is_passed() -> None:
    marker, data = control_batch(offset=4), b""
    source = PartitionRecords(TopicPartition("t", 0), MemoryRecords(marker + data), [], 4, None, None, True, 1)
    found: list[Inbound] = []
    assert read(source, found, 8, 100) is False
    assert (found, source.next_fetch_offset) == ([], 5)


def test_a_batch_that_has_lost_its_last_records_to_compaction_is_passed() -> None:
    builder = BatchBuilder(1_000, 0)
    for number in range(3):
        builder.append(timestamp=START_MS, key=b"%d" % number, value=b"", headers=[])
    batch = bytearray(builder._build())  # noqa: SLF001  # as a broker has it
    batch[23:27] = (9).to_bytes(4, "big")  # its last offset stays the tenth
    batch[17:21] = int(calc_crc32c(bytes(batch[21:]))).to_bytes(4, "big")
    source = PartitionRecords(TopicPartition("t", 0), MemoryRecords(bytes(batch)), [], 0, None, None, True, 1)
    found: list[Inbound] = []
    assert read(source, found, 8, 100) is False
    assert ([row[0] for row in found], source.next_fetch_offset) == ([0, 1, 2], 10)


def control_batch(offset: int) -> bytes:
    """Of producer 7, transactional, without a record."""
    body = bytearray()
    body += (0b110000).to_bytes(2, "big") + (0).to_bytes(4, "big")
    body += (-1).to_bytes(8, "big", signed=True) * 2
    body += (7).to_bytes(8, "big") + (0).to_bytes(2, "big") + (-1).to_bytes(4, "big", signed=True)
    body += (0).to_bytes(4, "big")
    head = (0).to_bytes(4, "big") + b"\x02" + int(calc_crc32c(bytes(body))).to_bytes(4, "big")
    return offset.to_bytes(8, "big") + (len(head) + len(body)).to_bytes(4, "big") + head + bytes(body)


async def test_a_corrupt_batch_is_named_and_costs_no_other_row(broker_factory: Callable[..., BrokerUnderTest]) -> None:
    broker = broker_factory()
    log = Log(broker.address, partitions=2)
    log.create()
    sound, torn = log.all[0], log.all[1]
    await log.append([rows(1), rows(1), rows(1)], partition=0)
    await log.append([[(0, START_MS, None, b"value-%d" % number, ())] for number in range(5)], partition=1)
    await asyncio.to_thread(broker.stop)
    (segment,) = (broker.folder / "data").glob(f"{log.topic}-1/*.log")
    intact = segment.read_bytes()
    segment.write_bytes(intact.replace(b"value-3", b"value\x003"))
    await asyncio.to_thread(broker.start)
    async with log.reader() as consumer:
        found: list[Fetched] = []
        failures: list[CorruptBatch] = []
        async with asyncio.timeout(30):
            while len(failures) < 2 or len([part for part in found if part.partition == sound]) < 1:
                try:
                    found += await fetch(consumer, log.all, timeout_ms=500)
                except CorruptBatch as failure:
                    failures.append(failure)
        assert {(failure.partition, failure.position) for failure in failures} == {(torn, 3)}
        assert f"{log.topic}-1 from offset 3: [Error 2] CorruptRecordException: the checksum" in str(failures[0])
        assert isinstance(failures[0].__cause__, CorruptRecordException)
        assert len(joined([part for part in found if part.partition == sound])) == 3
        assert [row[3] for part in found if part.partition == torn for row in part.rows] == [
            b"value-0",
            b"value-1",
            b"value-2",
        ]
        seek(consumer, torn, 4)
        assert [row[3] for row in joined((await fetched_until(consumer, {torn: 5}))[torn])] == [b"value-4"]


async def test_an_offset_that_is_not_there_is_named(kafka: str) -> None:
    log = Log(kafka, partitions=2)
    log.create()
    await log.append([rows(1)], partition=0)
    async with log.reader() as consumer:
        seek(consumer, log.all[1], 99)
        with pytest.raises(OffsetOutOfRange, match=f"{log.topic}-1 from offset 99") as raised:
            await fetch(consumer, [log.all[1]], timeout_ms=10_000)
        assert (raised.value.partition, raised.value.position) == (log.all[1], 99)
        assert len(joined((await fetched_until(consumer, {log.all[0]: 1}))[log.all[0]])) == 1


async def test_an_error_is_not_hidden_by_a_partition_that_always_has_something(kafka: str) -> None:
    log = Log(kafka, partitions=2)
    log.create()
    await log.append([rows(1) for _ in range(200)], partition=0)
    async with log.reader() as consumer:
        seek(consumer, log.all[1], 99)
        taken: list[Fetched] = []
        with pytest.raises(OffsetOutOfRange, match=f"{log.topic}-1 from offset 99"):
            await take(consumer, log.all, 200, taken)
        assert len(taken) < 150


async def take(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], count: int, into: list[Fetched]) -> None:
    """A batch at a time, slowly enough for the broker to be asked for others meanwhile."""
    while len(into) < count:
        into += await fetch(consumer, partitions, timeout_ms=10_000, max_batches=1)
        await asyncio.sleep(0.01)


async def test_a_client_that_fetches_no_more_says_so(kafka: str) -> None:
    log = Log(kafka)
    log.create()
    async with log.reader() as consumer:
        ended = vars(vars(consumer)["_fetcher"])["_fetch_task"]
        ended.cancel()
        await asyncio.wait([ended])
        with pytest.raises(KafkaError, match="the task that fetches has ended"):
            async with asyncio.timeout(5):
                await fetch(consumer, log.all, timeout_ms=60_000)


async def test_only_what_is_wanted_is_taken_and_no_more_than_asked_for(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(kafka, partitions=2)
    log.create()
    for partition in range(2):
        await log.append([rows(5) for _ in range(10)], partition)
    async with log.reader() as consumer:
        one, other = log.all
        parts = await fetched_until(consumer, {one: 50}, max_batches=3)
        assert {len(part.rows) for part in parts[one]} == {15, 5}
        assert position(consumer, other) == 0
        monkeypatch.setattr(fetching, "ROWS_AT_ONCE", 7)
        seek(consumer, one, 0)
        for where in (other, one):  # both are buffered then
            (part,) = await fetch(consumer, [where], timeout_ms=10_000)
            assert len(part.rows) == 10  # the batch that exceeds it is given whole
        turns = [part.partition for _ in range(8) for part in await fetch(consumer, log.all, timeout_ms=10_000)]
        assert turns == [other, one] * 4


async def test_paused_partitions_give_nothing_until_resumed(kafka: str) -> None:
    log = Log(kafka)
    log.create()
    await log.append([rows(3)])
    async with log.reader() as consumer:
        pause(consumer, *log.all)
        assert await fetch(consumer, log.all, timeout_ms=300) == []
        resume(consumer, *log.all)
        assert len(joined((await fetched_until(consumer, {log.all[0]: 3}))[log.all[0]])) == 3


async def test_cancelled_fetches_lose_nothing(kafka: str) -> None:
    log = Log(kafka, partitions=2)
    log.create()
    for partition in range(2):
        await log.append([rows(20, size=2_000) for _ in range(40)], partition)
    drawn = random.Random(5)
    found: dict[TopicPartition, list[int]] = {partition: [] for partition in log.all}
    cancelled = 0
    async with log.reader(max_partition_fetch_bytes=50_000) as consumer, asyncio.timeout(40):
        while sum(map(len, found.values())) < 1_600:
            call = asyncio.create_task(fetch(consumer, log.all, timeout_ms=500, max_batches=1))
            for _ in range(drawn.randrange(6)):
                await asyncio.sleep(0)
            if not call.done():
                call.cancel()
                cancelled += 1
                await asyncio.wait([call])
            if not call.cancelled():
                for part in call.result():
                    found[part.partition] += [row[0] for row in part.rows]
    assert cancelled > 10
    assert all(offsets == list(range(800)) for offsets in found.values())


async def test_a_fetch_ends_in_time_while_the_group_rebalances(kafka: str) -> None:
    log = Log(kafka, partitions=2)
    log.create()
    listener = Holding()
    first, second = log.member("a", listener), log.member("b", None)
    await first.start()
    joining: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(20):
            while len(first.assignment()) < 2:
                assert await fetch(first, log.all, timeout_ms=50) == []
        for partition in log.all:
            seek(first, partition, 0)
        await log.append([rows(4)])
        assert len(joined((await fetched_until(first, {log.all[0]: 4}))[log.all[0]])) == 4
        joining = asyncio.create_task(second.start())
        async with asyncio.timeout(20):
            await listener.revoking.wait()
        await log.append([rows(4)])
        for _ in range(3):
            async with asyncio.timeout(5):
                assert await fetch(first, log.all, timeout_ms=100) == []
        listener.release.set()
        async with asyncio.timeout(20):
            while len(first.assignment()) == 2:
                assert await fetch(first, log.all, timeout_ms=50) == []
            await joining
        (kept,) = (TopicPartition(*partition) for partition in first.assignment())
        (lost,) = set(log.all) - {kept}
        assert (position(first, lost), end(first, lost)) == (None, None)
        seek(first, kept, 0)
        await log.append([rows(8)], kept.partition)
        assert (await fetched_until(first, {kept: 8}))[kept][-1].rows[-1][0] >= 7
    finally:
        listener.release.set()
        await close(second.stop(), within=5)
        await close(first.stop(), within=5)
        if joining is not None:
            await asyncio.wait([joining])


class Holding(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Holds a rebalance up."""

    def __init__(self) -> None:
        self.revoking, self.release = asyncio.Event(), asyncio.Event()

    async def on_partitions_revoked(self, revoked: object) -> None:
        if revoked:
            self.revoking.set()
            await self.release.wait()

    async def on_partitions_assigned(self, assigned: object) -> None: ...


async def test_a_stopped_consumer_says_so(kafka: str) -> None:
    log = Log(kafka)
    log.create()
    async with log.reader() as consumer:
        assert isinstance(consumer, AIOKafkaConsumer)
    with pytest.raises(ConsumerStoppedError):
        await fetch(consumer, log.all, timeout_ms=60_000)
