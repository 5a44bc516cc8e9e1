"""A topology as data: nodes, stores and how they hang together. Faults are collected and reported all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.streams.config import Extractor, StreamsConfig
from app.streams.errors import TopologyError
from app.streams.stores.specs import StoreSpec
from app.streams.topology.names import name_fault
from app.streams.topology.nodes import (
    Node,
    Operator,
    Partitioner,
    ProcessorNode,
    Reset,
    SinkNode,
    SourceNode,
    TopicNamer,
)
from app.streams.topology.processor import Process, Processor, provided_stores

if TYPE_CHECKING:
    from app.streams.serdes import Serde


@dataclass(frozen=True, slots=True)
class InternalTopic:
    """A repartition (or foreign-key) topic. Its name lacks the application id; None: partitions are derived."""

    name: str
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class GlobalStore:
    """A store that every instance keeps in full, fed from one topic by one processor."""

    spec: StoreSpec
    source: str
    processor: str


class Topology:
    """Java's `Topology`. The `add_` methods return the topology; `validate` reports every fault found."""

    def __init__(self, config: StreamsConfig | None = None) -> None:
        self.config = config if config is not None else StreamsConfig()
        self.nodes: dict[str, Node] = {}
        self.stores: dict[str, StoreSpec] = {}
        self.users: dict[str, list[str]] = {}
        self.restored_from: dict[str, str] = {}
        self.globals: dict[str, GlobalStore] = {}
        self.internal: dict[str, InternalTopic] = {}
        self.copartitioned: list[frozenset[str]] = []
        self._faults: list[str] = []

    # nodes

    def add_source(
        self,
        name: str,
        *topics: str,
        pattern: str | None = None,
        key: Serde[Any] | None = None,
        value: Serde[Any] | None = None,
        extractor: Extractor | None = None,
        reset: Reset | int | None = None,
    ) -> Topology:
        """A node that reads topics, or all topics whose whole name matches `pattern`."""
        compiled = re.compile(pattern) if pattern is not None else None
        return self.add_node(SourceNode(name, topics, compiled, key, value, extractor, reset))

    def add_processor(self, name: str, supplier: Callable[[], Processor[Any, Any]], *parents: str) -> Topology:
        """A node that runs `supplier()`; one processor is made for each task. Stores it brings are added (H13)."""
        self.add_node(ProcessorNode(name, parents, Process(supplier)))
        for spec in provided_stores(supplier):
            self.add_store(spec, name)
        return self

    def add_operator(
        self, name: str, operator: Operator, parents: Sequence[str], stores: Iterable[str] = ()
    ) -> Topology:
        """A node of the DSL; `stores` are names of stores added before."""
        self.add_node(ProcessorNode(name, tuple(parents), operator))
        return self.connect(name, *stores)

    def add_sink(
        self,
        name: str,
        topic: str | TopicNamer,
        *parents: str,
        key: Serde[Any] | None = None,
        value: Serde[Any] | None = None,
        partitioner: Partitioner | None = None,
    ) -> Topology:
        """A node that writes to a topic, or to the topic a function names."""
        return self.add_node(SinkNode(name, parents, topic, key, value, partitioner))

    def add_node(self, node: Node) -> Topology:
        if node.name in self.nodes:
            self.fault(f"there are two nodes named {node.name}")
            return self
        if isinstance(node, SourceNode):
            self._check_source(node)
        else:
            self._check_parents(node)
        self.nodes[node.name] = node
        return self

    # stores

    def add_store(self, spec: StoreSpec, *nodes: str) -> Topology:
        """A state store, connected to `nodes`. The same spec may be added again (H13), another of that name may not."""
        present = self.stores.get(spec.name)
        if (present is not None and present is not spec) or spec.name in self.globals:
            self.fault(f"there are two stores named {spec.name}")
            return self
        if present is None:
            self._check_name("store", spec.name)
            self.stores[spec.name] = spec
            self.users[spec.name] = []
        for node in nodes:
            self.connect(node, spec.name)
        return self

    def connect(self, node: str, *stores: str) -> Topology:
        """Let a processor node use stores. Global stores need no connection."""
        for store in stores:
            if store in self.globals:
                self.fault(f"node {node} cannot be connected to the global store {store}: all nodes can read it")
            elif store not in self.stores:
                self.fault(f"node {node} uses the store {store}, which was not added")
            elif not isinstance(self.nodes.get(node), ProcessorNode):
                self.fault(f"store {store} cannot be connected to {node}: there is no such processor node")
            elif node not in self.users[store]:
                self.users[store].append(node)
        return self

    def add_global_store(self, spec: StoreSpec, source: SourceNode, processor: str, operator: Operator) -> Topology:
        """A store kept from all partitions of one topic by `operator`; never logged."""
        if spec.name in self.stores or spec.name in self.globals:
            self.fault(f"there are two stores named {spec.name}")
            return self
        if len(source.topics) != 1:
            self.fault(f"global store {spec.name} needs exactly one topic")
        self.add_node(source)
        self.add_node(ProcessorNode(processor, (source.name,), operator))
        self.globals[spec.name] = GlobalStore(replace(spec, logging=False, caching=False), source.name, processor)
        return self

    def add_read_only_store(
        self, spec: StoreSpec, source: SourceNode, processor: str, supplier: Callable[[], Processor[Any, Any]]
    ) -> Topology:
        """A store whose topic is source and changelog in one (H14): the processor writes it, nothing is logged."""
        self.add_node(source)
        self.add_processor(processor, supplier, source.name)
        self.add_store(spec, processor)
        self.restore_from(spec.name, source.topics[0])
        return self

    def restore_from(self, store: str, topic: str) -> None:
        """Use a source topic as the changelog of a store (J7, H14)."""
        self.restored_from[store] = topic

    # what the DSL adds besides

    def add_internal_topic(self, topic: InternalTopic) -> None:
        self._check_name("internal topic", topic.name)
        self.internal[topic.name] = topic

    def copartition(self, sources: Iterable[str]) -> None:
        """The topics of these source nodes must have equally many partitions (F19)."""
        self.copartitioned.append(frozenset(sources))

    def fault(self, text: str) -> None:
        if text not in self._faults:
            self._faults.append(text)

    # questions

    def validate(self) -> Topology:
        """Raise a TopologyError that lists every fault, or return the topology."""
        faults = list(self._faults)
        if not any(isinstance(node, SourceNode) for node in self.nodes.values()):
            faults.append("the topology reads no topic")
        faults += self._missing_serdes()
        if faults:
            raise TopologyError(faults)
        return self

    def topic_name(self, topic: str) -> str:
        """The topic's name on the broker: internal ones get a prefix."""
        return self.config.internal_topic(topic) if topic in self.internal else topic

    def changelog(self, store: str) -> str:
        """The topic a store is restored from; also what its serializers are told."""
        if store in self.restored_from:
            return self.restored_from[store]
        return self.config.internal_topic(f"{store}-changelog")

    def children(self) -> dict[str, list[str]]:
        """Each node's children, in the order they were added."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            for parent in parents_of(node):
                if parent in found:
                    found[parent].append(node.name)
        return found

    def stores_of(self, node: str) -> list[str]:
        found = [store for store, users in self.users.items() if node in users]
        return found + [name for name, kept in self.globals.items() if kept.processor == node]

    # checks

    def _check_source(self, node: SourceNode) -> None:
        if not node.topics and node.pattern is None:
            self.fault(f"source {node.name} has neither topics nor a pattern")
        for topic in node.topics:
            self._check_name("topic", topic)
            for other in self.nodes.values():
                if isinstance(other, SourceNode) and _reads(other, topic):
                    self.fault(f"topic {topic} is read by two sources, {other.name} and {node.name}")
        if node.pattern is not None:
            for other in self.nodes.values():
                if isinstance(other, SourceNode) and any(node.pattern.fullmatch(topic) for topic in other.topics):
                    self.fault(f"pattern {node.pattern.pattern} of {node.name} matches a topic of {other.name}")

    def _missing_serdes(self) -> list[str]:
        """One fault for all keys and one for all values: one forgotten serde is missed in many places."""
        specs = [*self.stores.values(), *(kept.spec for kept in self.globals.values())]
        ends = [node for node in self.nodes.values() if not isinstance(node, ProcessorNode)]
        keys: list[tuple[str, Any]] = [(node.name, node.key or self.config.default_key) for node in ends]
        keys += [(f"store {spec.name}", spec.key) for spec in specs]
        values: list[tuple[str, Any]] = [(node.name, node.value or self.config.default_value) for node in ends]
        values += [(f"store {spec.name}", spec.value) for spec in specs]
        return [
            f"there is no serde for the {part} of {', '.join(lacking)}, and no default one"
            for part, serdes in (("keys", keys), ("values", values))
            if (lacking := [name for name, serde in serdes if serde is None])
        ]

    def _check_parents(self, node: ProcessorNode | SinkNode) -> None:
        if not node.parents:
            self.fault(f"node {node.name} has no parent")
        for parent in node.parents:
            found = self.nodes.get(parent)
            if parent == node.name:
                self.fault(f"node {node.name} is its own parent")
            elif found is None:
                self.fault(f"node {node.name} has the parent {parent}, which was not added before it")
            elif isinstance(found, SinkNode):
                self.fault(f"node {node.name} has the sink {parent} as parent")
        if isinstance(node, SinkNode) and isinstance(node.topic, str):
            self._check_name("topic", node.topic)

    def _check_name(self, kind: str, name: str) -> None:
        found = name_fault(kind, name)
        if found is not None:
            self.fault(found)


def parents_of(node: Node) -> tuple[str, ...]:
    return () if isinstance(node, SourceNode) else node.parents


def _reads(source: SourceNode, topic: str) -> bool:
    return topic in source.topics or (source.pattern is not None and source.pattern.fullmatch(topic) is not None)
