"""The topology as a Mermaid flowchart: topics are stadiums, processors boxes, stores cylinders."""

from __future__ import annotations

from collections.abc import Iterator

from app.streams.topology.nodes import SinkNode, SourceNode
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology


def mermaid(topology: Topology) -> str:
    """Text for a Mermaid renderer; internal topics tie the sub-topologies together."""
    lines = ["flowchart TD"]
    topics: dict[str, str] = {}
    for part in subtopologies(topology):
        kind = "global store" if part.is_global else "sub-topology"
        lines.append(f'  subgraph s{part.number}["{kind} {part.number}"]')
        lines += [f"    {line}" for line in _nodes(topology, part)]
        lines.append("  end")
        for name in part.nodes:
            node = topology.nodes[name]
            if isinstance(node, SourceNode):
                read = node.topics or (node.pattern.pattern if node.pattern else "",)
                lines += [f"  {_topic(topics, topic)} --> {_identifier(name)}" for topic in read]
            elif isinstance(node, SinkNode):
                target = node.topic if isinstance(node.topic, str) else "chosen for each record"
                lines.append(f"  {_identifier(name)} --> {_topic(topics, target)}")
    lines += [f"  {identifier}([{_quoted(topic)}])" for topic, identifier in topics.items()]
    return "\n".join(lines) + "\n"


def _nodes(topology: Topology, part: Subtopology) -> Iterator[str]:
    children = topology.children()
    for store in part.stores(topology):
        yield f"{_identifier(store)}[({_quoted(store)})]"
    for name in part.nodes:
        yield f"{_identifier(name)}[{_quoted(name)}]"
        for child in children[name]:
            yield f"{_identifier(name)} --> {_identifier(child)}"
        for store in topology.stores_of(name):
            yield f"{_identifier(name)} -.- {_identifier(store)}"


def _topic(topics: dict[str, str], name: str) -> str:
    return topics.setdefault(name, f"topic{len(topics)}")


def _identifier(name: str) -> str:
    """Mermaid takes letters, digits and `_`; two names never share one."""
    return "n_" + "".join(each if each.isalnum() and each.isascii() else f"_{ord(each):x}_" for each in name)


def _quoted(text: str) -> str:
    return '"' + text.replace("#", "#35;").replace('"', "#quot;") + '"'
