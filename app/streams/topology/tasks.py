"""Tasks and the partitions they read: task i of a sub-topology reads partition i of each of its topics (J4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum

from app.streams.model import TaskId, TopicPartition
from app.streams.stores.specs import StoreSpec
from app.streams.topology.nodes import ProcessorNode, SinkNode, SourceNode
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology


@dataclass(frozen=True, slots=True)
class TaskPartitions:
    """What there is to run. sources: partitions that each task reads, sorted. stateful: tasks with something to
    restore. topics: all that are read."""

    sources: Mapping[TaskId, tuple[TopicPartition, ...]]
    stateful: frozenset[TaskId]
    topics: frozenset[str]


def task_partitions(topology: Topology, counts: Mapping[str, int]) -> TaskPartitions:
    """`counts`: partitions of each topic that exists; of topics that are read and not among them nothing is read."""
    sources: dict[TaskId, tuple[TopicPartition, ...]] = {}
    stateful: set[TaskId] = set()
    topics: set[str] = set()
    for part in processing_parts(topology):
        read = sorted(read_topics(topology, part, counts))
        topics.update(read)
        tasks = [TaskId(part.number, index) for index in range(max((counts[topic] for topic in read), default=0))]
        for task in tasks:
            held = (TopicPartition(topic, task.partition) for topic in read if task.partition < counts[topic])
            sources[task] = tuple(held)
        if restored_stores(topology, part):
            stateful.update(tasks)
    return TaskPartitions(sources, frozenset(stateful), frozenset(topics))


def processing_parts(topology: Topology) -> list[Subtopology]:
    """The sub-topologies that have tasks: global tables have none."""
    return [part for part in subtopologies(topology) if not part.is_global]


def read_topics(topology: Topology, part: Subtopology, known: Mapping[str, int]) -> set[str]:
    """Full names of the topics among `known` that a sub-topology reads."""
    found: set[str] = set()
    internal = {topology.topic_name(topic) for topic in topology.internal}
    for source in part.sources(topology):
        if source.pattern is not None:
            found.update(topic for topic in known if topic not in internal and source.pattern.fullmatch(topic))
        else:
            found.update(name for topic in source.topics if (name := topology.topic_name(topic)) in known)
    return found


def named_topics(topology: Topology) -> frozenset[str]:
    """Full names of the topics that are read under their own names, not by a pattern."""
    sources = [source for part in processing_parts(topology) for source in part.sources(topology)]
    return frozenset(topology.topic_name(topic) for source in sources for topic in source.topics)


def matching_topics(topology: Topology, known: Iterable[str]) -> frozenset[str]:
    """Those of the topics that exist that are read by a pattern."""
    counts = dict.fromkeys(known, 1)
    found = (read_topics(topology, part, counts) for part in processing_parts(topology))
    return frozenset().union(*found) - named_topics(topology)


def has_patterns(topology: Topology) -> bool:
    sources = [source for part in processing_parts(topology) for source in part.sources(topology)]
    return any(source.pattern is not None for source in sources)


def restored_stores(topology: Topology, part: Subtopology) -> list[str]:
    """Its stores that are restored from a topic, be it a changelog or a source."""
    return [
        store
        for store in part.stores(topology)
        if store in topology.stores and (topology.stores[store].logging or store in topology.restored_from)
    ]


def topology_digest(topology: Topology) -> str:
    """The same for processes that can share tasks: what is read, written and stored, and how that hangs together.
    Functions are not looked into: a corrected one may take over from its predecessor."""
    parts = (line for part in subtopologies(topology) for line in _lines(topology, part))
    return _digest([topology.config.application_id, *parts])


def part_digest(topology: Topology, part: Subtopology) -> str:
    """Of one sub-topology: state kept under another digest may be laid out otherwise."""
    return _digest(_lines(topology, part))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _lines(topology: Topology, part: Subtopology) -> Iterator[str]:
    yield f"{part.number} {'global' if part.is_global else ''}"
    for name in part.nodes:
        node = topology.nodes[name]
        match node:
            case SourceNode():
                pattern = node.pattern.pattern if node.pattern is not None else ""
                yield repr(("source", name, [topology.topic_name(topic) for topic in node.topics], pattern))
            case ProcessorNode():
                yield repr(("processor", name, node.parents, type(node.operator).__name__, topology.stores_of(name)))
            case SinkNode():
                topic = topology.topic_name(node.topic) if isinstance(node.topic, str) else ""
                yield repr(("sink", name, node.parents, topic))
    for store in part.stores(topology):
        kept = topology.globals.get(store)
        yield repr(
            (store, topology.restored_from.get(store, ""), _layout(kept.spec if kept else topology.stores[store]))
        )


def _layout(spec: StoreSpec) -> list[object]:
    """Kind and plain settings; serdes and other objects are known by their kind only."""
    found: list[object] = [type(spec).__name__]
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name in _NOT_LAYOUT:
            continue
        if isinstance(value, Enum):
            value = value.value
        found.append((field.name, value if isinstance(value, bool | int | str | None) else type(value).__name__))
    return found


_NOT_LAYOUT = frozenset({"log_config", "persistent", "caching"})
"""Where and how rows are kept may differ between processes that share them."""
