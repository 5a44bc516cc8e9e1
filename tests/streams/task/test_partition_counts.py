"""How many partitions a topic has, as a task asks for a sink that chooses one."""

from __future__ import annotations

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.model import TaskId
from app.streams.serdes import utf8
from app.streams.stores import memory_base
from app.streams.task import Task
from app.streams.topology.subtopologies import whole
from tests.streams.task.test_task import inbound, named


def test_who_knows_is_asked_once_a_call_and_partitions_that_are_added_are_seen() -> None:
    counts: dict[str, int | None] = {"out": 2}
    asked: list[str] = []

    def partitions(topic: str) -> int | None:
        asked.append(topic)
        return counts[topic]

    builder = Builder(StreamsConfig())
    stream = builder.stream("in", key=utf8, value=utf8)
    stream.to("out", key=utf8, value=utf8, partitioner=lambda _topic, _key, _value, count: (count - 1,))
    task = Task(
        builder.build(),
        whole(builder.build(), global_part=False),
        TaskId(0, 0),
        partitions=partitions,
        bases=memory_base,
    )
    task.assign(["in"])
    task.start(0)
    task.enqueue("in", 0, [inbound(at, at) for at in range(6)])
    assert [row.partition for row in named(task.process(0, limit=3))] == [1, 1, 1]
    assert asked == ["out"]
    counts["out"] = 5
    assert [row.partition for row in named(task.process(0, limit=3))] == [4, 4, 4]
    assert asked == ["out", "out"]
