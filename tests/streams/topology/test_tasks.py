"""Which partitions a task reads, and what makes two topologies the same."""

from __future__ import annotations

import subprocess
import sys

from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.durations import seconds
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import utf8
from app.streams.stores.specs import KeyValueSpec
from app.streams.topology.subtopologies import subtopologies
from app.streams.topology.tasks import (
    has_patterns,
    matching_topics,
    named_topics,
    part_digest,
    restored_stores,
    task_partitions,
    topology_digest,
)
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import Tumbling


def merged() -> Topology:
    builder = Builder()
    left, right = (builder.stream(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    left.merge(right).group_by(lambda _, value: value, name="by", key=utf8, value=utf8).count(Materialized("c"))
    builder.global_table("everywhere", key=utf8, value=utf8)
    return builder.build()


def test_a_task_reads_its_partition_of_each_topic_that_has_one() -> None:
    found = task_partitions(merged(), {"left": 3, "right": 1, "app-by-repartition": 2, "other": 9})
    assert found.sources == {
        TaskId(0, 0): (TopicPartition("left", 0), TopicPartition("right", 0)),
        TaskId(0, 1): (TopicPartition("left", 1),),
        TaskId(0, 2): (TopicPartition("left", 2),),
        TaskId(1, 0): (TopicPartition("app-by-repartition", 0),),
        TaskId(1, 1): (TopicPartition("app-by-repartition", 1),),
    }
    assert found.stateful == {TaskId(1, 0), TaskId(1, 1)}
    assert found.topics == {"left", "right", "app-by-repartition"}


def test_topics_that_are_not_there_have_no_tasks() -> None:
    assert task_partitions(merged(), {"left": 1}).sources == {TaskId(0, 0): (TopicPartition("left", 0),)}


def test_the_topics_to_take() -> None:
    topology = merged()
    assert named_topics(topology) == {"left", "right", "app-by-repartition"}
    assert not has_patterns(topology)
    assert matching_topics(topology, ["left", "right", "more"]) == frozenset()


def test_a_pattern_takes_whole_names_and_no_internal_topic() -> None:
    topology = merged().add_source("those", pattern="(app-)?by.*", key=utf8, value=utf8)
    assert has_patterns(topology)
    assert matching_topics(topology, ["by", "by-2", "not-by", "app-by-repartition", "left"]) == {"by", "by-2"}
    found = task_partitions(topology, {"by": 2, "by-2": 1})
    number = subtopologies(topology)[-1].number
    assert found.sources[TaskId(number, 0)] == (TopicPartition("by", 0), TopicPartition("by-2", 0))
    assert found.sources[TaskId(number, 1)] == (TopicPartition("by", 1),)


def test_a_store_that_is_not_logged_has_nothing_to_restore() -> None:
    topology = Topology().add_source("s", "in", key=utf8, value=utf8)
    topology.add_processor("p", lambda: None, "s")  # type: ignore[arg-type, return-value]
    topology.add_store(KeyValueSpec(name="kept", key=utf8, value=utf8, logging=False), "p")
    assert restored_stores(topology, subtopologies(topology)[0]) == []
    assert not task_partitions(topology, {"in": 1}).stateful
    topology.restore_from("kept", "in")
    assert restored_stores(topology, subtopologies(topology)[0]) == ["kept"]


def digest(store: str = "c", topic: str = "in", *, window: bool = False, factor: int = 1) -> str:
    builder = Builder()
    stream = builder.stream(topic, key=utf8, value=utf8)
    grouped = stream.filter(lambda _key, text: len(text) > factor).group_by_key(key=utf8, value=utf8)
    (grouped.windowed_by(Tumbling(seconds(1))) if window else grouped).count(Materialized(store))
    return topology_digest(builder.build())


def test_the_digest_is_of_what_others_can_see() -> None:
    assert digest() == digest() == digest(factor=2)
    different = [digest(), digest(store="d"), digest(topic="other"), digest(window=True)]
    assert len(set(different)) == len(different)


def test_the_digest_is_the_same_in_another_process() -> None:
    code = "from tests.streams.topology.test_tasks import merged, topology_digest; print(topology_digest(merged()))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {topology_digest(merged())}


def test_each_sub_topology_has_its_own() -> None:
    topology = merged()
    digests = [part_digest(topology, part) for part in subtopologies(topology)]
    assert len(set(digests)) == len(digests)


def test_layout_counts_and_place_does_not() -> None:
    def of(**fields: object) -> str:
        topology = Topology().add_source("s", "in", key=utf8, value=utf8)
        topology.add_processor("p", lambda: None, "s")  # type: ignore[arg-type, return-value]
        topology.add_store(KeyValueSpec(name="kept", **{"key": utf8, "value": utf8, **fields}), "p")  # type: ignore[arg-type]
        return topology_digest(topology)

    assert of(persistent=False) == of(persistent=True) == of(caching=True)
    assert of(timestamped=True) != of()
