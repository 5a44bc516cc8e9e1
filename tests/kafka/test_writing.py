"""Rows in the order they were written, each in the transaction it was written for, whatever happens when."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.at_least_once import at_least_once_producer
from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import Aborted
from app.kafka.transactions import TransactionOptions, transactional_producer
from app.kafka.writing import RowTooLarge, RowWriter, UnknownTopic
from app.streams.hashing import partition_for
from app.streams.model import Offset, Row, TopicPartition
from tests.kafka.logs import Log, fetched_until, joined
from tests.kafka.recording import Recording, numbered, numbers, settle

Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 30)),
        st.tuples(st.just("large"), st.integers(1, 3)),
        st.tuples(st.just("confirm"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["turn", "push", "gate", "cut", "reopen"]), st.just(0)),
    ),
    max_size=60,
)


@given(steps=STEPS, background=st.booleans(), drawn=st.randoms(use_true_random=False))
def test_each_row_is_in_its_transaction_and_in_order(
    steps: list[Step], *, background: bool, drawn: random.Random
) -> None:
    asyncio.run(follow(steps, background=background, drawn=drawn))


async def follow(steps: list[Step], *, background: bool, drawn: random.Random) -> None:
    """What was written before a cut is in that transaction, per partition in the order of the writing."""
    transport = Recording()
    writer = RowWriter(transport, lambda _: 3)
    running = asyncio.create_task(writer.run()) if background else None
    flushing: asyncio.Task[None] | None = None
    expected: list[dict[TopicPartition, list[int]]] = [defaultdict(list)]
    count = 0

    async def finish() -> None:
        """The flush ends when brokers answer, whatever order they answer in."""
        assert flushing is not None
        transport.gate.set()
        async with asyncio.timeout(5):
            while not flushing.done():
                for where in drawn.sample(list(transport.under_way), len(transport.under_way)):
                    transport.confirm(where)
                await settle()
        await flushing
        transport.begin()
        writer.reopen()

    for kind, much in steps:
        match kind:
            case "write" | "large":
                rows = []
                for _ in range(much):
                    row = numbered(count, drawn.randrange(3), size=700 if kind == "large" else 0)
                    rows.append(row)
                    expected[-1][TopicPartition("t", row.partition or 0)].append(count)
                    count += 1
                writer.write(rows)
            case "push":
                writer.push()
            case "confirm":
                if (where := TopicPartition("t", much)) in transport.under_way:
                    transport.confirm(where)
            case "gate":
                transport.gate.clear() if transport.gate.is_set() else transport.gate.set()
            case "cut" if flushing is None:
                writer.cut()
                expected.append(defaultdict(list))
                flushing = asyncio.create_task(writer.flush())
            case "reopen" if flushing is not None:
                await finish()
                flushing = None
            case _:
                await settle()
    if flushing is None:
        writer.cut()
        expected.append(defaultdict(list))
        flushing = asyncio.create_task(writer.flush())
    await finish()
    writer.cut()
    flushing = asyncio.create_task(writer.flush())
    await finish()
    for sent, wanted in zip(transport.transactions, expected, strict=False):
        for partition in range(3):
            where = TopicPartition("t", partition)
            assert numbers(sent, where) == wanted[where]
    assert sum(len(numbers(sent)) for sent in transport.transactions) == count
    for where in transport.under_way:
        transport.confirm(where)
    await settle()
    assert (writer.waiting_rows, writer.waiting_bytes, writer.statistics().rows) == (0, 0, count)
    if running is not None:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


async def test_what_fills_batches_after_the_cut_goes_with_the_next_transaction() -> None:
    transport = Recording()
    writer = RowWriter(transport, lambda _: 1)
    writer.write([numbered(0)])
    writer.cut()
    writer.write([numbered(number, size=700) for number in range(1, 10)])
    await finish(writer, transport)
    assert writer.waiting_rows == 9
    for _ in range(2):
        writer.cut()
        await finish(writer, transport)
    assert [numbers(sent) for sent in transport.transactions[:3]] == [[0], [*range(1, 10)], []]
    assert (writer.waiting_rows, writer.waiting_bytes) == (0, 0)


async def test_pushed_rows_go_at_once_unless_their_partition_is_busy() -> None:
    transport = Recording()
    writer = RowWriter(transport, lambda _: 2)
    running = asyncio.create_task(writer.run())
    (sent,) = transport.transactions
    writer.write([numbered(1), numbered(2)])
    await settle()
    assert numbers(sent) == []
    writer.push()
    await settle()
    assert numbers(sent) == [1, 2]
    writer.write([numbered(3), numbered(4, 1)])
    writer.push()
    await settle()
    assert numbers(sent) == [1, 2, 4]
    writer.write([numbered(5)])
    transport.confirm(TopicPartition("t", 0))
    await settle()
    assert numbers(sent) == [1, 2, 4, 3, 5]
    assert len(sent) == 3
    transport.confirm(TopicPartition("t", 0))
    writer.write([numbered(6)])
    await settle()
    assert len(sent) == 3  # that push was for rows that have gone
    running.cancel()


async def test_a_batch_waits_until_it_is_worth_it() -> None:
    transport = Recording(batch_bytes=512 * 1024)
    writer = RowWriter(transport, lambda _: 1)
    running = asyncio.create_task(writer.run())
    (sent,) = transport.transactions
    writer.write([numbered(number, size=200) for number in range(400)])
    await settle()
    assert sent == []
    writer.write([numbered(number, size=200) for number in range(400, 1_000)])
    await settle()
    ((_, first),) = sent
    assert len(first) == 1_000
    writer.write([numbered(number, size=200) for number in range(1_000, 7_000)])
    await settle()
    transport.confirm(TopicPartition("t", 0))
    await settle()
    assert len(sent) == 2
    assert len(sent[1][1]) > 2_000  # what came meanwhile fills a batch
    assert 0 < writer.waiting_bytes < 7_000 * 300
    running.cancel()


async def test_a_partition_that_is_slow_holds_no_other_up() -> None:
    transport = Recording()
    writer = RowWriter(transport, lambda _: 2)
    running = asyncio.create_task(writer.run())
    (sent,) = transport.transactions
    for number in range(20):
        writer.write([numbered(number, number % 2, size=1_500)])
        writer.push()
        await settle()
        if number % 2:
            transport.confirm(TopicPartition("t", 1))
        await settle()
    assert numbers(sent, TopicPartition("t", 1)) == list(range(1, 20, 2))
    assert numbers(sent, TopicPartition("t", 0)) == [0]
    running.cancel()


async def test_a_failed_batch_ends_run_and_flush() -> None:
    transport = Recording()
    writer = RowWriter(transport, lambda _: 1)
    running = asyncio.create_task(writer.run())
    writer.write([numbered(1)])
    writer.push()
    await settle()
    transport.under_way[TopicPartition("t", 0)].set_exception(ConnectionError("gone"))
    await settle()
    with pytest.raises(Aborted, match="ConnectionError: gone"):
        await running
    writer.cut()
    with pytest.raises(Aborted):
        await writer.flush()


async def test_what_the_transport_refuses_ends_run_and_a_flush_that_waits() -> None:
    transport = Recording()
    writer = RowWriter(transport, lambda _: 2)
    running = asyncio.create_task(writer.run())
    transport.gate.clear()
    writer.write([numbered(1)])
    writer.push()
    await settle()
    writer.cut()
    flushing = asyncio.create_task(writer.flush())
    await settle()
    assert not flushing.done()
    transport.refuses = Aborted("no")
    transport.gate.set()
    for task in (running, flushing):
        with pytest.raises(Aborted, match="no"):
            await task


async def test_a_row_that_is_too_large_is_named_or_given_away() -> None:
    transport = Recording()
    writer = RowWriter(transport, lambda _: 1, max_row_bytes=5_000)
    with pytest.raises(RowTooLarge, match="for topic t is larger than a request may be: 5000") as raised:
        writer.write([numbered(1, size=3_000), numbered(2, size=6_000), numbered(3)])
    assert (raised.value.topic, raised.value.size > 6_000) == ("t", True)
    asked: list[tuple[Row, RowTooLarge]] = []

    def instead(row: Row, error: RowTooLarge) -> Row | None:
        asked.append((row, error))
        return numbered(-2) if row.value is not None and row.value.startswith(b"2") else None

    kept = RowWriter(transport, lambda _: 1, refused=instead, max_row_bytes=5_000)
    kept.write([numbered(1, size=3_000), numbered(2, size=6_000), numbered(3), numbered(4, size=9_000), numbered(5)])
    kept.cut()
    flushing = asyncio.create_task(kept.flush())
    while not flushing.done():
        await settle()
        for where in transport.under_way:
            transport.confirm(where)
    assert numbers(transport.transactions[0]) == [1, -2, 3, 5]
    assert [row.topic for row, _ in asked] == ["t", "t"]


def test_topics_and_partitions_that_are_not_there_are_named() -> None:
    counts = {"known": 3}
    writer = RowWriter(Recording(), counts.get)
    with pytest.raises(UnknownTopic, match="topic other does not exist"):
        writer.write([numbered(1, None, "other")])
    for wrong in (-1, 3):
        with pytest.raises(UnknownTopic, match=f"topic known has 3 partitions and no number {wrong}"):
            writer.write([numbered(1, wrong, "known")])


async def test_keys_choose_partitions_as_javas_do_and_rows_without_one_stay_together() -> None:
    transport, counts = Recording(), {"t": 4}
    writer = RowWriter(transport, counts.get)
    keys = [b"key-%d" % number for number in range(50)]
    writer.write([Row("t", None, key, b"", None, ()) for key in keys])
    await commit(writer, transport)
    for where, rows in transport.transactions[0]:
        assert {partition_for(key, 4) for key, _ in rows if key is not None} == {where.partition}
    assert sum(len(rows) for _, rows in transport.transactions[0]) == 50
    counts["t"] = 7
    for _ in range(2):
        writer.write([numbered(number, None) for number in range(20)])
        await commit(writer, transport)
    (first,), (second,) = transport.transactions[1:3]
    assert len(first[1]) == len(second[1]) == 20
    assert first[0] != second[0]
    writer.write([Row("t", None, key, b"", None, ()) for key in keys])
    await commit(writer, transport)
    assert {where.partition for where, _ in transport.transactions[3]} == {partition_for(key, 7) for key in keys}


async def commit(writer: RowWriter, transport: Recording) -> None:
    writer.cut()
    await finish(writer, transport)


async def finish(writer: RowWriter, transport: Recording) -> None:
    """What was cut is sent and confirmed; the next transaction begins."""
    flushing = asyncio.create_task(writer.flush())
    async with asyncio.timeout(5):
        while not flushing.done():
            for where in transport.under_way:
                transport.confirm(where)
            await settle()
    await flushing
    for where in transport.under_way:
        transport.confirm(where)
    await settle()
    transport.begin()
    writer.reopen()


async def test_transactions_on_a_real_broker(kafka: str) -> None:
    log = Log(kafka, partitions=4)
    log.create()
    drawn = random.Random(9)
    async with transactional_producer(log.options, TransactionOptions(log.topic, batch_bytes=20_000)) as producer:
        producer.begin()
        writer = RowWriter(producer, lambda _: 4)
        running = asyncio.create_task(writer.run())
        before = time.time_ns() // 1_000_000
        for round_ in range(20):
            for number in range(drawn.randrange(1, 6)):
                value = b"%d-%d" % (round_, number)
                writer.write(
                    Row(log.topic, None, b"key-%d" % drawn.randrange(9), value, None, (("h", b"1"),))
                    for _ in range(drawn.randrange(300))
                )
                await asyncio.sleep(0)
            writer.cut()
            writer.write([Row(log.topic, number, None, b"%d-%d" % (round_ + 1, -1), 7, ()) for number in range(4)])
            await writer.flush()
            ends = await producer.commit({}, None)
            judged = await log.judged("read_committed")
            async with asyncio.timeout(10):
                # Markers may still be written; each lies behind our last record.
                while any(judged[where][1] != reached + 1 for where, reached in ends.items()):
                    judged = await log.judged("read_committed")
            values = [row[3] or b"" for rows, _ in judged.values() for row in rows]
            assert max(int(value.split(b"-")[0]) for value in values) == round_
            producer.begin()
            writer.reopen()
        running.cancel()
    for where, (rows, _) in judged.items():
        assert [int((row[3] or b"").split(b"-")[0]) for row in rows] == sorted(
            int((row[3] or b"").split(b"-")[0]) for row in rows
        )
        for _, timestamp, key, _, headers in rows:
            if key is None:
                assert (timestamp, headers) == (7, ())
            else:
                assert partition_for(key, 4) == where.partition
                assert headers == (("h", b"1"),)
                assert before <= timestamp <= time.time_ns() // 1_000_000


async def test_a_topic_that_takes_only_small_batches_fails_the_transaction(kafka: str) -> None:
    log = Log(kafka)
    log.create(**{"max.message.bytes": "1000"})
    async with transactional_producer(log.options, TransactionOptions(log.topic)) as producer:
        producer.begin()
        writer = RowWriter(producer, lambda _: 1)
        writer.write([numbered(1, topic=log.topic, size=5_000)])
        writer.push()
        with pytest.raises(Aborted, match=f"MessageSizeTooLargeError: {log.topic}-0"):
            async with asyncio.timeout(20):
                await writer.run()


async def test_pushed_rows_are_there_before_the_commit(kafka: str) -> None:
    log = Log(kafka)
    log.create()

    async def commit_offsets(offsets: Mapping[TopicPartition, Offset], group: GroupMetadata | None) -> None:
        pytest.fail(f"there were none: {offsets} {group}")

    async with at_least_once_producer(log.options, commit_offsets=commit_offsets) as producer, log.reader() as reader:
        producer.begin()
        writer = RowWriter(producer, lambda _: 1)
        running = asyncio.create_task(writer.run())
        for number in range(3):
            writer.write([numbered(number, topic=log.topic)])
            writer.push()
            parts = await fetched_until(reader, {log.all[0]: number + 1})
            assert [row[3] for row in joined(parts[log.all[0]])] == [b"%d" % number]
        writer.cut()
        await writer.flush()
        assert await producer.commit({}, None) == {log.all[0]: 3}
        running.cancel()
