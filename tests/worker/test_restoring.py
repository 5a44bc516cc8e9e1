"""Restoring from real changelogs into states on a real disk and in memory."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from app.state import Slot, StateDamaged, take_slot
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import raw
from app.streams.stores.base import Marks
from app.streams.stores.specs import KeyValueSpec, WindowSpec
from app.worker.states import States
from tests.worker.changelogs import (
    COUNTS,
    TIME,
    Cluster,
    changelog,
    held,
    opened,
    options,
    restoring,
    rows_of,
    topology,
    until,
)

TASK = TaskId(0, 0)
ROWS = [(b"%04d" % number, b"v%d" % number) for number in range(1000)]


@pytest.fixture
def cluster(kafka: str) -> Cluster:
    return Cluster(kafka)


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    with take_slot(tmp_path, "app") as slot:
        yield slot


async def test_a_store_is_restored_and_next_time_only_what_is_new(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.write(log, ROWS)
    await cluster.write(log, [(b"0007", None), (b"0008", b"again")])
    expected = {**dict(ROWS), b"0008": b"again"}
    del expected[b"0007"]
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        await restorer.restore(kept, {log: 1002})
        assert rows_of(kept) == expected
        assert restorer.statistics().rows == 1002
        assert states.positions(TASK) == {"counts": 1002}
    await cluster.write(log, [(b"new", b"1"), (b"newer", b"2")])
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        assert rows_of(kept) == expected
        await restorer.restore(kept, {log: 1004})
        assert rows_of(kept) == {**expected, b"new": b"1", b"newer": b"2"}
        assert restorer.statistics().rows == 2, "the two new rows and no other were read"


async def test_a_state_that_is_complete_waits_for_nobody(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        done = restorer.restore(kept, {log: 0})
        assert done.done()
        assert restorer.lag(TASK) is None


async def test_markers_and_aborted_rows_at_the_end_are_no_obstacle(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.transact(log, ROWS[:10])
    await cluster.transact(log, [(b"0001", b"never"), (b"x", b"never")], abort=True)
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, reader):
        kept = await opened(made, states, TASK)
        targets = await reader.ends([log])
        assert targets == {log: 14}
        async with asyncio.timeout(20):
            await restorer.restore(kept, targets)
        assert rows_of(kept) == dict(ROWS[:10])


async def test_a_transaction_that_is_about_to_commit_is_waited_for(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.write(log, ROWS[:10])
    producer = AIOKafkaProducer(**options(cluster.server), transactional_id=cluster.name)
    async with producer, States(made, slot) as states, restoring(cluster.server, states) as (restorer, reader):
        await producer.begin_transaction()
        await producer.send_and_wait(log.topic, b"at last", key=b"pending", partition=0)
        kept = await opened(made, states, TASK)
        done = restorer.restore(kept, await reader.ends([log]))
        await until(lambda: len(rows_of(kept)) == 10, "what is committed is there")
        assert not done.done()
        assert restorer.lag(TASK) == 1
        await producer.commit_transaction()
        await done
        assert rows_of(kept)[b"pending"] == b"at last"


async def test_it_goes_on_where_a_killed_process_stopped(cluster: Cluster, tmp_path: Path) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    rows = [(b"%06d" % number, b"v" * 100) for number in range(200_000)]
    await cluster.write(log, rows)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.worker.restoring_child", cluster.server, cluster.name, str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    async with asyncio.timeout(60):
        assert await child.stdout.readline() == b"some\n"
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    with take_slot(tmp_path, "app") as slot:
        async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
            kept = await opened(made, states, TASK)
            position = states.positions(TASK)["counts"]
            assert position is not None
            assert 0 < position < len(rows)
            assert rows_of(kept) == dict(rows[:position]), "as many rows as the position says"
            await restorer.restore(kept, {log: len(rows)})
            assert restorer.statistics().rows == len(rows) - position
            assert rows_of(kept) == dict(rows)


async def test_a_changelog_that_was_recreated_damages_the_state_by_name(cluster: Cluster) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.write(log, ROWS)
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        await restorer.restore(kept, {log: 1000})
        cluster.delete(log.topic)
        changelog(cluster, made)
        await cluster.write(log, ROWS[:3])
        kept = held(made, states, TASK)
        with pytest.raises(StateDamaged, match=r"task 0_0.*counts-changelog-0.*recreated"):
            await restorer.restore(kept, {log: 1003})
        await states.condemn(TASK, "recreated")
        await states.close(TASK)
        kept = await opened(made, states, TASK)
        await restorer.restore(kept, {log: 3})
        assert rows_of(kept) == dict(ROWS[:3])


async def test_a_window_store_comes_back(cluster: Cluster, slot: Slot) -> None:
    spec = WindowSpec(name="windows", key=raw, value=raw, retention=60_000, size=10_000)
    made = topology(spec, application=cluster.name)
    log = changelog(cluster, made, "windows")
    rows = [
        (b"%02d" % (number % 20) + (TIME + number // 20 * 10_000).to_bytes(8, "big") + bytes(4), b"%d" % number)
        for number in range(2000)
    ]
    await cluster.write(log, rows)
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        await restorer.restore(kept, {log: 2000})
        newest = TIME + 99 * 10_000
        found = [(key.key, key.start, value) for key, value in kept.task.stores["windows"].all()]
        alive = [row for row in rows if int.from_bytes(row[0][2:10], "big") > newest - 60_000]
        assert sorted(found) == sorted((key[:2], int.from_bytes(key[2:10], "big"), value) for key, value in alive)


async def test_many_tasks_with_several_stores_are_restored_beside_each_other(cluster: Cluster, slot: Slot) -> None:
    other = KeyValueSpec(name="other", key=raw, value=raw, timestamped=True)
    made = topology(COUNTS, other, application=cluster.name)
    tasks = [TaskId(0, number) for number in range(8)]
    cluster.create(made.changelog("counts"), made.changelog("other"), partitions=len(tasks))
    expected = {}
    for task in tasks:
        for store in ("counts", "other"):
            rows = [(key, b"%s of %s in %s" % (key, str(task).encode(), store.encode())) for key, _ in ROWS[:300]]
            expected[task, store] = dict(rows)
            await cluster.write(TopicPartition(made.changelog(store), task.partition), rows)
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, reader):
        kept = {task: await opened(made, states, task) for task in tasks}
        targets = await reader.ends([where for each in kept.values() for where in each.changelogs.values()])
        await asyncio.gather(*(restorer.restore(each, targets) for each in kept.values()))
        for (task, store), wanted in expected.items():
            found = dict(kept[task].task.stores[store].all())
            assert found == (wanted if store == "counts" else {key: (value, TIME) for key, value in wanted.items()})
        assert restorer.statistics().remaining == 0


async def test_no_row_is_applied_after_a_stop(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.write(log, [(b"%06d" % number, b"v" * 50) for number in range(50_000)])
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        done = restorer.restore(kept, {log: 50_000})
        await until(lambda: restorer.statistics().rows > 0, "it has begun")
        restorer.stop(TASK)
        position = states.positions(TASK)
        assert done.cancelled()
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert states.positions(TASK) == position != {"counts": 50_000}
        kept = held(made, states, TASK)
        await restorer.restore(kept, {log: 50_000})
        assert len(rows_of(kept)) == 50_000


async def test_a_cancelled_wait_ends_the_restore(cluster: Cluster) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await restorer.restore(kept, {log: 10})
        await until(lambda: restorer.lag(TASK) is None, "it is let go of")


async def test_a_source_topic_is_restored_as_far_as_it_was_processed(cluster: Cluster, slot: Slot) -> None:
    made = topology(application=cluster.name)
    source = f"{cluster.name}-input"
    made.restore_from("counts", source)
    log = changelog(cluster, made)
    assert log.topic == source
    await cluster.write(log, ROWS)
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        await restorer.restore(kept, {log: 700})
        assert rows_of(kept) == dict(ROWS[:700]), "what lies behind is still to come as input"
        assert states.positions(TASK) == {"counts": 700}


async def test_no_row_is_applied_once_the_wait_was_cancelled(cluster: Cluster) -> None:
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    await cluster.write(log, ROWS)
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, reader):
        kept = await opened(made, states, TASK)
        done = restorer.restore(kept, {log: 2000})
        await until(lambda: states.positions(TASK) == {"counts": 1000}, "what is there is applied")
        writing = asyncio.ensure_future(cluster.write(log, ROWS))
        async with asyncio.timeout(20):
            while reader.end(log) != 2000:  # noqa: ASYNC110  # they are fetched now, and applied in the next turns
                await asyncio.sleep(0)
        done.cancel()
        await until(lambda: restorer.lag(TASK) is None, "it is let go of")
        assert states.positions(TASK) == {"counts": 1000}
        await writing


async def test_rows_that_were_fetched_for_an_earlier_state_do_not_enter_the_next(cluster: Cluster) -> None:
    """One fetch gives both logs; while the rows of one are applied, the state of the other task is made anew."""
    made = topology(application=cluster.name)
    topic = changelog(cluster, made, partitions=2).topic
    logs = {TaskId(0, number): TopicPartition(topic, number) for number in range(2)}
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, _):
        kept = {}
        for task, log in logs.items():
            await cluster.write(log, ROWS)
            await opened(made, states, task)
            states.bases(task)(COUNTS).apply(ROWS[:500], Marks(500))
            kept[task] = held(made, states, task)
        waits = [restorer.restore(kept[task], {log: 1000}) for task, log in logs.items()]
        async with asyncio.timeout(20):
            while not (begun := [task for task in logs if states.positions(task) != {"counts": 500}]):  # noqa: ASYNC110
                await asyncio.sleep(0)
        [under_way] = begun
        [other] = logs.keys() - {under_way}
        assert not any(wait.done() for wait in waits), "it is amid the rows of the first"
        restorer.stop(other)
        await states.condemn(other, "damaged")
        await states.close(other)
        again = await opened(made, states, other)
        await restorer.restore(again, {logs[other]: 1000})
        assert rows_of(again) == dict(ROWS)


async def test_a_condemned_state_is_neither_restored_nor_followed(cluster: Cluster) -> None:
    """Whoever condemned it was interrupted before it was opened anew."""
    made = topology(application=cluster.name)
    log = changelog(cluster, made)
    async with States(made, None) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        restorer.follow(kept)
        assert restorer.failed == {}
        await states.condemn(TASK, "damaged")
        with pytest.raises(StateDamaged, match="0_0 was found damaged before"):
            await restorer.restore(held(made, states, TASK), {log: 0})
        restorer.follow(held(made, states, TASK))
        assert list(restorer.failed) == [TASK]


async def test_a_state_that_is_left_says_how_much_it_misses(cluster: Cluster, slot: Slot) -> None:
    """Amid a restore; and complete, though one of its changelogs is still empty."""
    made = topology(COUNTS, KeyValueSpec(name="empty", key=raw, value=raw), application=cluster.name)
    log, empty = changelog(cluster, made), changelog(cluster, made, "empty")
    await cluster.write(log, ROWS)
    async with States(made, slot) as states, restoring(cluster.server, states) as (restorer, _):
        kept = await opened(made, states, TASK)
        restorer.restore(kept, {log: 5000, empty: 0})
        await until(lambda: states.positions(TASK) == {"counts": 1000, "empty": None}, "what is there is applied")
        restorer.stop(TASK)
        await states.close(TASK)
        assert states.left() == {TASK: 4000}
        kept = await opened(made, states, TASK)
        await restorer.restore(kept, {log: 1000, empty: 0})
        await states.close(TASK)
        assert states.left() == {TASK: 0}
