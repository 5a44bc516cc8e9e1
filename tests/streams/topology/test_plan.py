"""Internal topics, their partition counts and settings, and the tasks of a topology."""

from __future__ import annotations

import pytest

from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.errors import TopologyError
from app.streams.model import TaskId
from app.streams.serdes import utf8
from app.streams.stores.specs import DAY, KeyValueSpec, SessionSpec, VersionedSpec, WindowSpec
from app.streams.topology.plan import plan
from app.streams.topology.subtopologies import subtopologies
from app.streams.topology.topology import Topology


def counted(partitions: int | None = None) -> Builder:
    builder = Builder()
    stream = builder.stream("in", key=utf8, value=utf8).select_key(lambda _, value: value)
    if partitions is not None:
        stream = stream.repartition(name="first", key=utf8, value=utf8, partitions=partitions)
    stream.group_by(lambda _, value: value, name="second", key=utf8, value=utf8).count(Materialized("c"))
    return builder


def test_a_repartition_topic_has_as_many_partitions_as_its_upstream() -> None:
    found = plan(counted().build(), {"in": 4})
    assert [(topic.name, topic.partitions) for topic in found.repartition] == [("app-second-repartition", 4)]
    assert found.repartition[0].config == {
        "message.timestamp.type": "CreateTime",
        "cleanup.policy": "delete",
        "segment.bytes": "52428800",
        "retention.ms": "-1",
    }
    assert [(topic.name, topic.partitions) for topic in found.changelogs] == [("app-c-changelog", 4)]
    assert found.tasks == tuple(TaskId(part, n) for part in range(2) for n in range(4))


def test_a_count_the_user_gave_goes_on_downstream() -> None:
    found = plan(counted(2).build(), {"in": 4})
    assert {topic.name: topic.partitions for topic in found.repartition} == {
        "app-first-repartition": 2,
        "app-second-repartition": 2,
    }


def test_missing_topics_are_all_named() -> None:
    builder = Builder()
    for topic in ("one", "two"):
        builder.stream(topic, key=utf8, value=utf8).to("out")
    with pytest.raises(TopologyError) as caught:
        plan(builder.build(), {})
    assert [fault.split(",")[0] for fault in caught.value.faults] == ["topic one", "topic two"]


def joined(topology: Topology) -> Topology:
    topology.copartition(["left", "right"])
    return topology


def two_sources() -> Topology:
    topology = Topology()
    for side in ("left", "right"):
        topology.add_source(side, side, key=utf8, value=utf8)
        topology.add_sink(f"{side}-out", "out", side, key=utf8, value=utf8)
    return topology


def test_joined_topics_of_users_need_equal_counts() -> None:
    with pytest.raises(TopologyError, match="left has 2, right has 3"):
        plan(joined(two_sources()), {"left": 2, "right": 3})
    plan(joined(two_sources()), {"left": 3, "right": 3})


def test_subtopologies_are_what_hangs_together_by_nodes_or_stores() -> None:
    class Silent:
        def process(self, _record: object, /) -> None: ...

    topology = two_sources()
    for side in ("left", "right"):
        topology.add_processor(f"{side}-store", Silent, side)
    assert len(subtopologies(topology)) == 2
    topology.add_store(KeyValueSpec(name="shared", key=utf8, value=utf8), "left-store", "right-store")
    assert len(subtopologies(topology)) == 1


@pytest.mark.parametrize(
    ("spec", "config"),
    [
        (KeyValueSpec(name="s", key=utf8, value=utf8), {"cleanup.policy": "compact"}),
        (
            WindowSpec(name="s", key=utf8, value=utf8, retention=1000, size=10),
            {"cleanup.policy": "compact,delete", "retention.ms": str(1000 + DAY)},
        ),
        (
            WindowSpec(name="s", key=utf8, value=utf8, retention=1000, size=10, retain_duplicates=True),
            {"cleanup.policy": "delete", "retention.ms": str(1000 + DAY)},
        ),
        (
            SessionSpec(name="s", key=utf8, value=utf8, retention=2**63 - 1),
            {"cleanup.policy": "compact,delete", "retention.ms": str(2**63 - 1)},
        ),
        (
            VersionedSpec(name="s", key=utf8, value=utf8, history=5),
            {"cleanup.policy": "compact", "min.compaction.lag.ms": str(5 + DAY)},
        ),
        (
            WindowSpec(name="s", key=utf8, value=utf8, retention=1, size=1, log_config={"retention.ms": "7"}),
            {"cleanup.policy": "compact,delete", "retention.ms": "7"},
        ),
    ],
)
def test_changelog_settings(spec: KeyValueSpec, config: dict[str, str]) -> None:
    assert spec.changelog_config() == config
