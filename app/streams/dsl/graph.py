"""The graph behind the DSL: what the user said, before it is optimized and written into a topology as nodes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from app.streams.operators.stateless import KeyFilter
from app.streams.topology.names import is_generated
from app.streams.topology.nodes import Partitioner, SinkNode, SourceNode
from app.streams.topology.topology import InternalTopic, Topology

if TYPE_CHECKING:
    from app.streams.serdes import Serde
    from app.streams.topology.names import Names

# Adds a graph node's nodes and stores to the topology, below the named parents.
Write: TypeAlias = Callable[[Topology, tuple[str, ...]], None]

SUFFIX = "-repartition"


@dataclass(eq=False, slots=True)
class GraphNode:
    """One call of the DSL. `name` is that of the topology node its children hang on."""

    name: str
    write: Write
    key_changing: bool = False
    value_changing: bool = False
    merges: bool = False
    # A left or outer join that takes records without a key: repartitions above must let them pass (B14).
    relaxes_null_keys: bool = False
    # A windowed aggregate: ms that stream time must pass a window's end before nothing can change it (G2).
    closes_after: int | None = None
    priority: int = -1
    parents: list[GraphNode] = field(default_factory=list)
    children: list[GraphNode] = field(default_factory=list)

    def adopt(self, child: GraphNode) -> None:
        if child not in self.children:
            self.children.append(child)
        if self not in child.parents:
            child.parents.append(self)

    def release(self, child: GraphNode) -> None:
        self.children.remove(child)
        child.parents.remove(self)

    def write_to(self, topology: Topology) -> None:
        self.write(topology, tuple(parent.name for parent in self.parents))


@dataclass(eq=False, slots=True)
class StreamSource(GraphNode):
    """`stream()`: several on the same topics become one (B1)."""

    source: SourceNode = field(default_factory=lambda: SourceNode(""))


@dataclass(eq=False, slots=True)
class TableSource(GraphNode):
    """`table()`: its topic may serve as changelog (J7)."""

    topic: str = ""
    store: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True)
class RepartitionNames:
    topic: str
    sink: str
    key_filter: str
    source: str


@dataclass(eq=False, slots=True)
class Repartition(GraphNode):
    """An internal topic in the middle of the graph: filter, sink, and the source children hang on."""

    names: RepartitionNames = field(default_factory=lambda: RepartitionNames("", "", "", ""))
    key: Serde[Any] | None = None
    value: Serde[Any] | None = None
    partitions: int | None = None
    partitioner: Partitioner | None = None
    optimizable: bool = True
    relaxed: bool = False

    def write_to(self, topology: Topology) -> None:
        names = self.names
        topology.add_internal_topic(InternalTopic(names.topic, self.partitions))
        topology.add_operator(names.key_filter, KeyFilter(self.relaxed), [parent.name for parent in self.parents])
        topology.add_node(
            SinkNode(
                names.sink, (names.key_filter,), names.topic, self.key, self.value, self.partitioner, internal=True
            )
        )
        topology.add_node(SourceNode(names.source, (names.topic,), key=self.key, value=self.value, internal=True))


def repartition_names(names: Names, prefix: str) -> RepartitionNames:
    """The topic and its three nodes (reference 2.1); three indices are burnt in any case."""
    sink, key_filter, source = names.node("KSTREAM-SINK-"), names.node("KSTREAM-FILTER-"), names.node("KSTREAM-SOURCE-")
    topic = prefix if prefix.endswith(SUFFIX) else prefix + SUFFIX
    if is_generated(prefix):
        names.implicit.append(topic)
        return RepartitionNames(topic, sink, key_filter, source)
    return RepartitionNames(topic, f"{topic}-sink", f"{topic}-filter", f"{topic}-source")


def new_repartition(names: Names, prefix: str, key: Serde[Any] | None, value: Serde[Any] | None) -> Repartition:
    """A repartition the optimizer may merge with others below the same key change (J8)."""
    made = repartition_names(names, prefix)
    return Repartition(name=made.source, write=_never, names=made, key=key, value=value)


def _never(_topology: Topology, _parents: tuple[str, ...]) -> None:
    raise AssertionError("a repartition writes itself")


class Graph:
    """All graph nodes of one builder, below a root; each has the priority of its creation."""

    def __init__(self) -> None:
        self.root = GraphNode("root", lambda _topology, _parents: None, priority=0)
        self.nodes: list[GraphNode] = []
        self.copartitioned: list[frozenset[str]] = []

    def add(self, node: GraphNode, *parents: GraphNode) -> GraphNode:
        """Hang a node below others; hanging it below one more later is fine."""
        if node.priority < 0:
            node.priority = len(self.nodes) + 1
            self.nodes.append(node)
        for parent in parents or (self.root,):
            parent.adopt(node)
        return node

    def copartition(self, *groups: frozenset[str]) -> None:
        self.copartitioned.append(frozenset().union(*groups))

    def write(self, topology: Topology) -> None:
        """Parents first, otherwise by priority, as Java's priority queue does."""
        relax_repartitions(self.root)
        written: set[int] = set()
        queue = [(0, 0, self.root)]
        pushed = 0
        while queue:
            _, _, node = heapq.heappop(queue)
            if id(node) not in written and all(id(parent) in written for parent in node.parents):
                node.write_to(topology)
                written.add(id(node))
            for child in node.children:
                if id(child) not in written:
                    pushed += 1
                    heapq.heappush(queue, (child.priority, pushed, child))
        for sources in self.copartitioned:
            topology.copartition(sources)


def merge_duplicate_sources(graph: Graph) -> list[str]:
    """Streams of the same topics become one node, the first one (B1); gives the faults found on the way."""
    kept: dict[tuple[tuple[str, ...], str | None], StreamSource] = {}
    faults = []
    for node in list(graph.root.children):
        if not isinstance(node, StreamSource):
            continue
        source = node.source
        identity = (tuple(sorted(source.topics)), source.pattern.pattern if source.pattern is not None else None)
        first = kept.setdefault(identity, node)
        if first is node:
            continue
        if first.source.reset != source.reset:
            topics = ", ".join(source.topics) or identity[1]
            faults.append(f"{topics} is read twice with different resets: {first.source.reset} and {source.reset}")
        graph.root.release(node)
        for child in list(node.children):
            node.release(child)
            first.adopt(child)
        graph.copartitioned = [
            frozenset(first.name if name == node.name else name for name in group) for group in graph.copartitioned
        ]
    return faults


def relax_repartitions(root: GraphNode) -> None:
    """Let null keys pass through the repartitions right above a relaxed join (B14)."""
    for node in _below(root):
        if node.relaxes_null_keys:
            for above in _repartitions_above(node):
                above.relaxed = True


def _below(root: GraphNode) -> Iterator[GraphNode]:
    seen: set[int] = set()
    waiting = list(root.children)
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting += node.children


def _repartitions_above(node: GraphNode) -> Iterator[Repartition]:
    for parent in node.parents:
        if isinstance(parent, Repartition):
            yield parent
        else:
            yield from _repartitions_above(parent)


def write_source(source: SourceNode) -> Write:
    def write(topology: Topology, _parents: Sequence[str]) -> None:
        topology.add_node(source)

    return write
