"""The optimizer (J6-J8): rewrites the graph after all calls of the DSL, before it is written."""

from __future__ import annotations

from collections.abc import Callable

from app.streams.config import Optimization, StreamsConfig
from app.streams.dsl.graph import Graph, GraphNode, Repartition, TableSource, new_repartition
from app.streams.dsl.windowed_join import rewrite_self_joins
from app.streams.topology.names import Names
from app.streams.topology.topology import Topology


def optimize(graph: Graph, names: Names, config: StreamsConfig) -> None:
    """Merge repartition topics below one key change (J8), then give self-joins a single store (F7)."""
    if config.optimizes(Optimization.MERGE_REPARTITION_TOPICS):
        for key_changer, repartitions in _mergeable(graph).items():
            if repartitions:
                _merge(graph, names, key_changer, repartitions)
    if config.optimizes(Optimization.SELF_JOIN):
        rewrite_self_joins(graph)


def reuse_source_topics(graph: Graph, topology: Topology) -> None:
    """A table's store is restored from the table's topic, and nothing is logged (J7)."""
    for node in graph.nodes:
        if isinstance(node, TableSource):
            store = node.store()
            if store is not None:
                topology.restore_from(store, node.topic)


def _mergeable(graph: Graph) -> dict[GraphNode, list[Repartition]]:
    """Which repartitions hang below which key change, in order of creation."""
    found: dict[GraphNode, list[Repartition]] = {}
    for node in graph.nodes:
        if node.key_changing:
            found[node] = []
        elif isinstance(node, Repartition) and node.optimizable:
            changer = _key_changer(node)
            if changer is not None and changer in found:
                found[changer].append(node)
    _move_to_merges([node for node in graph.nodes if node.merges], found)
    return found


def _key_changer(node: GraphNode) -> GraphNode | None:
    """The key change above, unless a value changes in between: then the topics would hold other values."""
    nearest = _above(node, lambda other: other.key_changing or other.value_changing)
    key_changer = _above(node, lambda other: other.key_changing)
    return key_changer if nearest is key_changer else None


def _move_to_merges(merges: list[GraphNode], found: dict[GraphNode, list[Repartition]]) -> None:
    """Repartitions below a merge of several key-changed streams belong to the merge node."""
    moved: dict[GraphNode, list[GraphNode]] = {}
    for merge in merges:
        moved[merge] = [
            changer
            for changer, repartitions in found.items()
            if all(_child_towards(merge, repartition) is not None for repartition in repartitions)
            and _child_towards(changer, merge) is not None
        ]
    emptied = [changer for changers in moved.values() for changer in changers]
    for merge, changers in moved.items():
        gathered = dict.fromkeys(repartition for changer in changers for repartition in found[changer])
        found[merge] = list(gathered)
    for changer in emptied:
        found.pop(changer, None)


def _merge(graph: Graph, names: Names, key_changer: GraphNode, repartitions: list[Repartition]) -> None:
    key = next((node.key for node in repartitions if node.key is not None), None)
    value = next((node.value for node in repartitions if node.value is not None), None)
    # The first topic keeps its name; its nodes are then named after the topic, whether it was generated or not.
    single = new_repartition(names, repartitions[0].names.topic, key, value)
    single.priority = key_changer.priority
    for old in repartitions:
        first_below = _child_towards(key_changer, old)
        if first_below is None:
            raise AssertionError(f"{old.name} is not below {key_changer.name}")
        single.adopt(first_below)
        if first_below in key_changer.children:
            key_changer.release(first_below)
        for child in list(old.children):
            old.release(child)
            for parent in old.parents:
                parent.adopt(child)
        for parent in list(old.parents):
            parent.release(old)
        graph.copartitioned = [
            frozenset(single.name if name == old.name else name for name in group) for group in graph.copartitioned
        ]
    key_changer.adopt(single)


def _child_towards(ancestor: GraphNode, node: GraphNode) -> GraphNode | None:
    """The child of `ancestor` on the way down to `node`; the node itself if it is that child."""
    return _above(node, lambda other: ancestor in other.parents)


def _above(node: GraphNode, wanted: Callable[[GraphNode], bool]) -> GraphNode | None:
    """The node or the first found above it. With several parents the last branch wins, as in Java."""
    if wanted(node):
        return node
    found = None
    for parent in node.parents:
        if wanted(parent):
            return parent
        found = _above(parent, wanted)
    return found
