"""From nodes to steps: a sub-topology is compiled leaf to root into plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.streams.model import Forward
from app.streams.operators.sinks import compile_sink
from app.streams.operators.stateless import ends_here
from app.streams.task.failures import Failures
from app.streams.topology.nodes import ProcessorNode, SinkNode
from app.streams.topology.runtime import Runtime, TaskParts
from app.streams.topology.subtopologies import Subtopology
from app.streams.topology.topology import Topology


def compile_steps(topology: Topology, part: Subtopology, parts: TaskParts, failures: Failures) -> dict[str, Forward]:
    """Each node's step by its name; the step of a source hands records to its children."""
    children = topology.children()
    steps: dict[str, Forward] = {}
    # Nodes were added parents first, so from the back every child has its step already.
    for name in reversed(part.nodes):
        node = topology.nodes[name]
        if isinstance(node, SinkNode):
            steps[name] = failures.guarded_sink(name, compile_sink(node, topology, parts))
            continue
        below = {child: steps[child] for child in children[name]}
        forward = fan_out(list(below.values()))
        if isinstance(node, ProcessorNode):
            runtime = Runtime(parts, name, frozenset(topology.stores_of(name)), below)
            steps[name] = failures.guarded(name, node.operator.compile(runtime, forward))
        else:
            steps[name] = forward
    return steps


def fan_out(children: Sequence[Forward]) -> Forward:
    """One step that calls all children in order; each has finished before the next begins."""
    if not children:
        return ends_here
    if len(children) == 1:
        return children[0]
    steps = tuple(children)

    def each(key: Any, value: Any) -> None:
        for child in steps:
            child(key, value)

    return each
