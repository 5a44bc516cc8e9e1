"""`describe()`: the topology as Kafka Streams prints it (J5), stable enough to be a golden file."""

from __future__ import annotations

from collections.abc import Iterable

from app.streams.topology.nodes import Node, SinkNode, SourceNode
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology, parents_of


def describe(topology: Topology) -> str:
    """Java's `Topology.describe().toString()`; names inside a list are sorted."""
    children = topology.children()
    texts = [
        _global(topology, part, children) if part.is_global else _normal(topology, part, children)
        for part in subtopologies(topology)
    ]
    return "Topologies:\n " + "".join("  " + text for text in texts)


def _normal(topology: Topology, part: Subtopology, children: dict[str, list[str]]) -> str:
    sizes: dict[str, int] = {}
    for name in reversed(part.nodes):
        sizes[name] = 1 + sum(sizes[child] for child in children[name])
    ordered = sorted(part.nodes, key=lambda name: (-sizes[name], name))
    nodes = "".join(_node(topology, topology.nodes[name], children[name]) for name in ordered)
    return f"Sub-topology: {part.number}\n{nodes}\n"


def _global(topology: Topology, part: Subtopology, children: dict[str, list[str]]) -> str:
    nodes = "".join(_node(topology, topology.nodes[name], children[name]) for name in part.nodes)
    return f"Sub-topology: {part.number} for global store (will not generate tasks)\n{nodes}"


def _node(topology: Topology, node: Node, children: list[str]) -> str:
    arrows = f"      --> {_names(children)}\n"
    parents = f"      <-- {_names(parents_of(node))}\n"
    if isinstance(node, SourceNode):
        topics = node.pattern.pattern if node.pattern is not None else f"[{_listed(node.topics)}]"
        return f"    Source: {node.name} (topics: {topics})\n{arrows}"
    if isinstance(node, SinkNode):
        target = f"topic: {node.topic}" if isinstance(node.topic, str) else f"extractor class: {_title(node.topic)}"
        return f"    Sink: {node.name} ({target})\n{parents}"
    stores = _listed(topology.stores_of(node.name))
    return f"    Processor: {node.name} (stores: [{stores}])\n{arrows}{parents}"


def _names(names: Iterable[str]) -> str:
    return _listed(names) or "none"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _title(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
