"""What a cluster must hold before tasks run: internal topics with partitions and settings, and the tasks (J4, J10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.streams.errors import TopologyError
from app.streams.model import TaskId
from app.streams.topology.nodes import SourceNode
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology

REPARTITION_CONFIG = {"cleanup.policy": "delete", "segment.bytes": "52428800", "retention.ms": "-1"}
ALL_INTERNAL = {"message.timestamp.type": "CreateTime"}


@dataclass(frozen=True, slots=True)
class PlannedTopic:
    """An internal topic to be created; `config` are its settings at creation."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything derived from a topology and the partition counts of the users' topics."""

    repartition: tuple[PlannedTopic, ...]
    changelogs: tuple[PlannedTopic, ...]
    tasks: tuple[TaskId, ...]
    partitions: Mapping[str, int]


def plan(topology: Topology, partitions: Mapping[str, int]) -> Plan:
    """`partitions`: of each topic a user made. Raises a TopologyError listing missing and ill-fitting topics."""
    topology.validate()
    counts, faults = _source_partitions(topology, partitions)
    if not faults:
        faults = _fit_copartitioned(topology, counts)
    if faults:
        raise TopologyError(faults)
    parts = [part for part in subtopologies(topology) if not part.is_global]
    tasks = [TaskId(part.number, index) for part in parts for index in range(task_count(topology, part, counts))]
    return Plan(
        repartition=tuple(
            PlannedTopic(
                topology.topic_name(topic),
                counts[topology.topic_name(topic)],
                {**ALL_INTERNAL, **REPARTITION_CONFIG, **topology.config.topic_config},
            )
            for topic in topology.internal
        ),
        changelogs=tuple(
            planned for part in parts for planned in _changelogs(topology, part, task_count(topology, part, counts))
        ),
        tasks=tuple(tasks),
        partitions=counts,
    )


def task_count(topology: Topology, part: Subtopology, counts: Mapping[str, int]) -> int:
    """The greatest partition count among the sources of a sub-topology."""
    return max((counts[topic] for topic in source_topics(topology, part, counts)), default=0)


def source_topics(topology: Topology, part: Subtopology, known: Mapping[str, int]) -> list[str]:
    """Full names of the topics a sub-topology reads; a pattern takes those of `known` that match."""
    found: list[str] = []
    for source in part.sources(topology):
        found += topics_of(topology, source, known)
    return found


def topics_of(topology: Topology, source: SourceNode, known: Mapping[str, int]) -> list[str]:
    if source.pattern is not None:
        internal = {topology.topic_name(topic) for topic in topology.internal}
        return sorted(topic for topic in known if topic not in internal and source.pattern.fullmatch(topic))
    return [topology.topic_name(topic) for topic in source.topics]


def _changelogs(topology: Topology, part: Subtopology, tasks: int) -> list[PlannedTopic]:
    found = []
    for store in part.stores(topology):
        spec = topology.stores[store]
        if spec.logging and store not in topology.restored_from:
            config = spec.changelog_config(topology.config.changelog_extra_retention)
            merged = {**ALL_INTERNAL, **config, **topology.config.topic_config, **spec.log_config}
            found.append(PlannedTopic(topology.changelog(store), tasks, merged))
    return found


def _source_partitions(topology: Topology, partitions: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
    """Counts of all source topics: a repartition topic has the user's number, else the greatest of its upstream."""
    counts = dict(partitions)
    faults: list[str] = []
    parts = subtopologies(topology)
    for part in parts:
        faults += [
            f"topic {topic}, read by {source.name}, does not exist"
            for source in part.sources(topology)
            for topic in source.topics
            if topic not in topology.internal and topic not in partitions
        ]
    open_topics = dict(topology.internal)
    for topic, declared in topology.internal.items():
        if declared.partitions is not None:
            counts[topology.topic_name(topic)] = declared.partitions
            del open_topics[topic]
    upstream = {topic: _upstream(topology, parts, topic, counts) for topic in open_topics}
    while open_topics and not faults:
        # Best is a topic whose upstream is all known. In the circle of a foreign-key join, what is known must do.
        known = [topic for topic in open_topics if all(name in counts for name in upstream[topic])]
        known = known or [topic for topic in open_topics if any(name in counts for name in upstream[topic])][:1]
        if not known:
            break
        for topic in known:
            found = [counts[name] for name in upstream[topic] if name in counts]
            counts[topology.topic_name(topic)] = max(found, default=1)
            del open_topics[topic]
    faults += [f"the partition count of {topic} depends on itself" for topic in open_topics if not faults]
    return counts, faults


def _upstream(topology: Topology, parts: Sequence[Subtopology], topic: str, known: Mapping[str, int]) -> list[str]:
    """The topics read by the sub-topologies that write to an internal topic."""
    writers = [part for part in parts if any(sink.topic == topic for sink in part.sinks(topology))]
    return [name for part in writers for name in source_topics(topology, part, known)]


def _fit_copartitioned(topology: Topology, counts: dict[str, int]) -> list[str]:
    """Co-partitioned topics need one count (F19): internal ones are made to fit, users' ones cannot be."""
    faults = []
    for group in topology.copartitioned:
        sources = [node for name in sorted(group) if isinstance(node := topology.nodes.get(name), SourceNode)]
        topics = [topic for source in sources for topic in topics_of(topology, source, counts)]
        free = {
            topology.topic_name(topic) for topic, declared in topology.internal.items() if declared.partitions is None
        }
        fixed = {topic: counts[topic] for topic in topics if topic not in free}
        if len(set(fixed.values())) > 1:
            listed = ", ".join(f"{topic} has {count}" for topic, count in sorted(fixed.items()))
            faults.append(f"topics that are joined need equally many partitions: {listed}")
            continue
        count = next(iter(fixed.values())) if fixed else max((counts[topic] for topic in topics), default=0)
        for topic in topics:
            counts[topic] = count
    return faults
