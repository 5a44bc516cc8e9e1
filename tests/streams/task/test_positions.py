"""Where a task is in the partitions it reads: markers, tasks kept over a rebalance, topics that come and go."""

from __future__ import annotations

import pytest

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.errors import TaskMisused
from app.streams.model import Offset, TopicPartition
from app.streams.serdes import utf8
from app.streams.serdes.offset_metadata import MAX_LENGTH, decode
from app.streams.task import Task
from app.streams.windows.definitions import Tumbling
from tests.streams.task.test_task import counting, inbound, new_task, values

IN = TopicPartition("in", 0)


def started(*topics: str) -> Task:
    builder = Builder(StreamsConfig())
    builder.stream(pattern="t-.*", key=utf8, value=utf8).to("out", key=utf8, value=utf8)
    task = new_task(builder.build(), *topics)
    task.start(0)
    return task


def test_markers_behind_a_batch_are_committed_with_it() -> None:
    task = new_task(counting(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(0, 1), inbound(1, 2)])
    task.note_fetch("in", 0, 3, 3)
    task.process(0, limit=1)
    commit = task.commit()
    assert commit.offsets[IN].offset == 1, "the second record was not taken yet"
    task.applied(commit)
    task.process(0)
    commit = task.commit()
    assert commit.offsets[IN].offset == 3, "nothing more will be told of the marker"
    task.applied(commit)
    task.note_fetch("in", 0, 3, 3)
    assert [task.needs_commit] == [False]


def test_markers_alone_are_committed_once() -> None:
    task = new_task(counting(), "in")
    task.resume_from("in", 0, Offset(4, ""))
    task.start(0)
    task.note_fetch("in", 0, 4, 4)
    assert [task.needs_commit] == [False]
    task.note_fetch("in", 0, 5, 5)
    assert [task.needs_commit] == [True]
    commit = task.commit()
    assert commit.offsets[IN].offset == 5
    assert commit.changelog == ()
    task.applied(commit)
    task.note_fetch("in", 0, 5, 5)
    assert [task.needs_commit] == [False]


def test_a_kept_task_goes_on_from_its_own_position() -> None:
    task = new_task(counting(), "in")
    assert task.position("in", 0) is None
    task.resume_from("in", 0, Offset(4, ""))
    task.start(0)
    task.enqueue("in", 0, [inbound(4, 1), inbound(5, 2)])
    task.process(0, limit=1)
    assert task.position("in", 0) == 6
    with pytest.raises(TaskMisused, match="task 0_0 goes on from in/0@6"):
        task.resume_from("in", 0, Offset(5, ""))


def test_a_topic_that_a_pattern_finds_later_is_waited_for_like_the_others() -> None:
    task = started("t-a")
    task.enqueue("t-a", 0, [inbound(0, 5)])
    task.note_fetch("t-a", 0, 1, 1)
    task.assign(["t-a", "t-b"])
    task.resume_from("t-b", 0, Offset(7, ""))
    assert task.process(0) == [], "nobody told whether t-b has older records"
    task.enqueue("t-b", 0, [inbound(7, 3)])
    task.note_fetch("t-b", 0, 8, 8)
    assert values(task.process(0)) == ["7@3", "0@5"]
    assert {where.topic: offset.offset for where, offset in task.commit().offsets.items()} == {"t-a": 1, "t-b": 8}


def test_nobody_waits_for_a_topic_that_is_gone() -> None:
    task = started("t-a", "t-b")
    task.enqueue("t-a", 0, [inbound(0, 5)])
    task.note_fetch("t-a", 0, 1, 1)
    task.enqueue("t-b", 0, [inbound(0, 3)])
    task.note_fetch("t-b", 0, 1, 9)
    task.release("t-b")
    assert values(task.process(0)) == ["0@5"]
    assert list(task.commit().offsets) == [TopicPartition("t-a", 0)]


@pytest.mark.parametrize(("operators", "remembered"), [(2, True), (80, False)])
def test_times_are_committed_with_the_offsets_as_far_as_a_broker_takes_them(operators: int, remembered: bool) -> None:
    builder = Builder(StreamsConfig(max_task_idle=-1))
    grouped = builder.stream("in", key=utf8, value=utf8).group_by_key()
    for _ in range(operators):
        grouped.windowed_by(Tumbling(10)).count()
    task = new_task(builder.build(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(0, 77)])
    task.process(0)
    text = task.commit().offsets[IN].metadata
    assert len(text) <= MAX_LENGTH
    saved = decode(text)
    assert saved is not None
    assert saved.partition_time == 77
    assert set(saved.processor.values()) == ({77} if remembered else set())
