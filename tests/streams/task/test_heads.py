"""A task that reads two topics: what is at the head of one while the other goes first."""

from __future__ import annotations

from app.streams.dsl.builder import Builder
from app.streams.model import Inbound, TaskId, TopicPartition
from app.streams.serdes import utf8
from app.streams.serdes.offset_metadata import decode
from app.streams.stores import memory_base
from app.streams.task import Task
from app.streams.topology.subtopologies import whole

LEFT, RIGHT = TopicPartition("left", 0), TopicPartition("right", 0)


def merging(left: list[int], right: list[int]) -> Task:
    """Started, with records of these timestamps waiting."""
    builder = Builder()
    one, other = (builder.stream(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    one.merge(other).to("out", key=utf8, value=utf8)
    topology = builder.build()
    part = whole(topology, global_part=False)
    task = Task(topology, part, TaskId(0, 0), partitions=lambda _topic: 1, bases=memory_base)
    task.assign(["left", "right"])
    task.start(0)
    for topic, times in (("left", left), ("right", right)):
        rows: list[Inbound] = [(offset, time, b"k", b"v", ()) for offset, time in enumerate(times)]
        task.enqueue(topic, 0, rows)
        task.note_fetch(topic, 0, len(rows), len(rows))
    return task


def test_a_record_that_waits_at_the_head_is_the_next_one_to_be_committed() -> None:
    task = merging([1, 2, 9], [5, 6])
    assert len(task.process(0, limit=2)) == 2
    offsets = task.commit().offsets
    assert (offsets[LEFT].offset, offsets[RIGHT].offset) == (2, 0)


def test_so_is_the_last_one_that_came_in() -> None:
    task = merging([1, 2, 9], [5])
    assert len(task.process(0, limit=1)) == 1
    offsets = task.commit().offsets
    assert (offsets[LEFT].offset, offsets[RIGHT].offset) == (1, 0)


def test_partition_time_is_the_highest_taken_of_each_partition() -> None:
    task = merging([5, 1, 9], [3, 4, 2])
    assert len(task.process(0, limit=5)) == 5
    times = {where: decode(offset.metadata) for where, offset in task.commit().offsets.items()}
    left, right = times[LEFT], times[RIGHT]
    assert left is not None
    assert right is not None
    assert (left.partition_time, right.partition_time) == (5, 4)
    assert task.ctx.stream_time == 5
