"""Sub-topologies: what is connected through nodes and shared stores becomes one kind of task (H1, J4)."""

from __future__ import annotations

from dataclasses import dataclass

from app.streams.topology.nodes import ProcessorNode, SinkNode, SourceNode
from app.streams.topology.topology import Topology, parents_of


@dataclass(frozen=True, slots=True)
class Subtopology:
    """One connected component, nodes in the order they were added. A global one runs on every instance."""

    number: int
    nodes: tuple[str, ...]
    is_global: bool = False

    def sources(self, topology: Topology) -> list[SourceNode]:
        return [node for name in self.nodes if isinstance(node := topology.nodes[name], SourceNode)]

    def sinks(self, topology: Topology) -> list[SinkNode]:
        return [node for name in self.nodes if isinstance(node := topology.nodes[name], SinkNode)]

    def stores(self, topology: Topology) -> list[str]:
        """Its stores, in the order of the first node that uses each."""
        found: dict[str, None] = {}
        for name in self.nodes:
            if isinstance(topology.nodes[name], ProcessorNode):
                found.update(dict.fromkeys(topology.stores_of(name)))
        return list(found)


def subtopologies(topology: Topology) -> list[Subtopology]:
    """Numbered by the first appearance of their nodes; global ones take a number too (reference 2.1)."""
    root: dict[str, str] = {name: name for name in topology.nodes}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for node in topology.nodes.values():
        for parent in parents_of(node):
            root[find(node.name)] = find(parent)
    for users in topology.users.values():
        for user in users[1:]:
            root[find(user)] = find(users[0])
    groups: dict[str, list[str]] = {}
    for name in topology.nodes:
        groups.setdefault(find(name), []).append(name)
    kept = {entry.source for entry in topology.globals.values()}
    return [
        Subtopology(number, tuple(nodes), is_global=any(name in kept for name in nodes))
        for number, nodes in enumerate(groups.values())
    ]


def whole(topology: Topology, *, global_part: bool) -> Subtopology:
    """All sub-topologies as one, without the global ones or only those: the single task of Java's test driver (P1)."""
    chosen = {name for part in subtopologies(topology) if part.is_global == global_part for name in part.nodes}
    return Subtopology(0, tuple(name for name in topology.nodes if name in chosen), is_global=global_part)
