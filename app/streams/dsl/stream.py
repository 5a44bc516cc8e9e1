"""Streams of records (Java: KStream). Every method says what is wanted; nothing runs before a task does.

Functions always take (key, value), in this order, and give what their name says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from app.streams.dsl.graph import GraphNode, Repartition, Write, new_repartition
from app.streams.dsl.joining import StreamJoins
from app.streams.dsl.options import Materialized, known_serde
from app.streams.dsl.origins import SourceOrigin
from app.streams.operators.stateless import (
    Branch as BranchOperator,
)
from app.streams.operators.stateless import (
    Filter,
    FlatMap,
    FlatMapValues,
    Map,
    MapValues,
    PassThrough,
    Peek,
    SelectKey,
)
from app.streams.topology.nodes import Operator, Partitioner, SinkNode, TopicNamer
from app.streams.topology.processor import FixedKeyProcessor, Process, Processor, ProcessValues, provided_stores
from app.streams.topology.topology import Topology

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.dsl.grouped import GroupedStream
    from app.streams.dsl.table import Table
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")


@dataclass(frozen=True)
class Branch(Generic[K, V]):
    """One way out of a split. Without a predicate it is the default one and must come last (B8)."""

    predicate: Callable[[K, V], bool] | None = None
    name: str | None = None


class Stream(StreamJoins[K, V]):
    """What flows out of one node. key, value: serdes as far as they are known; sources: names of source nodes above."""

    def __init__(
        self,
        builder: Builder,
        node: GraphNode,
        *,
        sources: frozenset[str],
        key: Serde[K] | None = None,
        value: Serde[V] | None = None,
        rekeyed: bool = False,
    ) -> None:
        self.builder = builder
        self.node = node
        self.sources = sources
        self.key = key
        self.value = value
        # A step above may have changed keys: the next step that needs them in place inserts a topic (B4).
        self.rekeyed = rekeyed

    # one record at a time

    def filter(self, predicate: Callable[[K, V], bool], *, name: str | None = None) -> Stream[K, V]:
        return self._same("KSTREAM-FILTER-", name, Filter(predicate))

    def filter_not(self, predicate: Callable[[K, V], bool], *, name: str | None = None) -> Stream[K, V]:
        return self._same("KSTREAM-FILTER-", name, Filter(predicate, negate=True))

    def map(self, mapper: Callable[[K, V], tuple[K2, V2]], *, name: str | None = None) -> Stream[K2, V2]:
        """New key and value; the next step that needs keys in place repartitions (B4)."""
        node = self._below("KSTREAM-MAP-", name, Map(mapper), key_changing=True)
        return Stream(self.builder, node, sources=self.sources, rekeyed=True)

    def map_values(self, mapper: Callable[[K, V], V2], *, name: str | None = None) -> Stream[K, V2]:
        node = self._below("KSTREAM-MAPVALUES-", name, MapValues(mapper), value_changing=True)
        return Stream(self.builder, node, sources=self.sources, key=self.key, rekeyed=self.rekeyed)

    def flat_map(self, mapper: Callable[[K, V], Iterable[tuple[K2, V2]]], *, name: str | None = None) -> Stream[K2, V2]:
        node = self._below("KSTREAM-FLATMAP-", name, FlatMap(mapper), key_changing=True)
        return Stream(self.builder, node, sources=self.sources, rekeyed=True)

    def flat_map_values(self, mapper: Callable[[K, V], Iterable[V2]], *, name: str | None = None) -> Stream[K, V2]:
        node = self._below("KSTREAM-FLATMAPVALUES-", name, FlatMapValues(mapper), value_changing=True)
        return Stream(self.builder, node, sources=self.sources, key=self.key, rekeyed=self.rekeyed)

    def select_key(self, selector: Callable[[K, V], K2], *, name: str | None = None) -> Stream[K2, V]:
        node = self._below("KSTREAM-KEY-SELECT-", name, SelectKey(selector), key_changing=True)
        return Stream(self.builder, node, sources=self.sources, value=self.value, rekeyed=True)

    def peek(self, action: Callable[[K, V], object], *, name: str | None = None) -> Stream[K, V]:
        """A side effect for each record, which goes on unchanged."""
        return self._same("KSTREAM-PEEK-", name, Peek(action))

    def foreach(self, action: Callable[[K, V], object], *, name: str | None = None) -> None:
        """A side effect for each record, which ends here."""
        self._below("KSTREAM-FOREACH-", name, Peek(action))

    def print(self, label: str, *, write: Callable[[str], object] = print, name: str | None = None) -> None:
        """Write `[label]: key, value` for each record."""
        self._below("KSTREAM-PRINTER-", name, Peek(lambda key, value: write(f"[{label}]: {key}, {value}")))

    # several streams

    def merge(self, other: Stream[K, V], *, name: str | None = None) -> Stream[K, V]:
        """Both streams as one, without any order between them (B7). Default serdes come before this stream's."""
        node = self._node("KSTREAM-MERGE-", name, PassThrough())
        node.merges = True
        self.builder.graph.add(node, self.node, other.node)
        rekeyed = self.rekeyed or other.rekeyed
        config = self.builder.config
        return Stream(
            self.builder,
            node,
            sources=self.sources | other.sources,
            key=known_serde(None, config.default_key, self.key),
            value=known_serde(None, config.default_value, self.value),
            rekeyed=rekeyed,
        )

    def split(self, *branches: Branch[K, V], name: str | None = None) -> dict[str, Stream[K, V]]:
        """The first branch whose predicate accepts a record gets it (B8).

        The result is in the order of the branches; its keys are the splitter's name + the branch's name, or else its
        ordinal from 1, or "0" for the default branch: `big, rest = s.split(Branch(is_big), Branch()).values()`.
        """
        names = self.builder.names
        splitter = names.node("KSTREAM-BRANCH-", name)
        children: list[str] = []
        for ordinal, branch in enumerate(branches, start=1):
            names.take()
            if branch.predicate is None and ordinal < len(branches):
                self.builder.faults.append(f"the default branch of {splitter} is not the last one")
            children.append(splitter + (branch.name or ("0" if branch.predicate is None else str(ordinal))))
        tests = tuple(
            (branch.predicate, child) for branch, child in zip(branches, children, strict=True) if branch.predicate
        )
        default = next((child for branch, child in zip(branches, children, strict=True) if not branch.predicate), None)
        node = self.builder.graph.add(GraphNode(splitter, _writes(splitter, BranchOperator(tests, default))), self.node)
        found: dict[str, Stream[K, V]] = {}
        for child in children:
            below = self.builder.graph.add(GraphNode(child, _writes(child, PassThrough())), node)
            found[child] = self._stream(below)
        return found

    # out

    def to(
        self,
        topic: str | TopicNamer,
        *,
        key: Serde[K] | None = None,
        value: Serde[V] | None = None,
        partitioner: Partitioner | None = None,
        name: str | None = None,
    ) -> None:
        """Write to a topic, or to the one a function of (key, value, origin) names (B10, B11)."""
        node_name = self.builder.names.node("KSTREAM-SINK-", name)
        key_serde, value_serde = key or self.key, value or self.value

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            topology.add_node(SinkNode(node_name, parents, topic, key_serde, value_serde, partitioner))

        self.builder.graph.add(GraphNode(node_name, write), self.node)

    def repartition(
        self,
        *,
        name: str | None = None,
        key: Serde[K] | None = None,
        value: Serde[V] | None = None,
        partitions: int | None = None,
        partitioner: Partitioner | None = None,
    ) -> Stream[K, V]:
        """Through an internal topic of its own (B9). A default key serde comes before the stream's."""
        key = known_serde(key, self.builder.config.default_key, self.key)
        prefix = name if name is not None else self.builder.names.node("KSTREAM-REPARTITION-")
        if partitions is not None and partitions < 1:
            self.builder.faults.append(f"repartition {prefix} cannot have {partitions} partitions")
        node = new_repartition(self.builder.names, prefix, key, value or self.value)
        node.optimizable, node.partitions, node.partitioner = False, partitions, partitioner
        self.builder.graph.add(node, self.node)
        return Stream(self.builder, node, sources=frozenset([node.name]), key=key, value=value or self.value)

    # to tables and groups

    def to_table(self, materialized: Materialized[K, V] | None = None, *, name: str | None = None) -> Table[K, V]:
        """The stream read as upserts: a null value deletes, a null key is dropped (B13)."""
        table_name = self.builder.names.node("KSTREAM-TOTABLE-", name)
        keeping = self.builder.keeping(materialized, "KSTREAM-TOTABLE-", key=self.key, value=self.value)
        parent, sources = self.node, self.sources
        if self.rekeyed:
            parent = self.repartitioned(table_name, keeping.key, keeping.value)
            sources = frozenset([parent.name])
        origin = SourceOrigin(keeping.name, materialized=keeping.queryable)

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            origin.write(topology, table_name, parents, keeping)

        node = self.builder.graph.add(GraphNode(table_name, write), parent)
        return self.builder.new_table(node, origin, keeping, sources)

    def group_by_key(
        self, *, name: str | None = None, key: Serde[K] | None = None, value: Serde[V] | None = None
    ) -> GroupedStream[K, V]:
        """By the key it has; repartitions only if a step above changed keys (C1). With any option default serdes come
        before the stream's."""
        if name is None and key is None and value is None:
            return self.builder.new_group(self, self.key, self.value, name)
        key = known_serde(key, self.builder.config.default_key, self.key)
        value = known_serde(value, self.builder.config.default_value, self.value)
        return self.builder.new_group(self, key, value, name)

    def group_by(
        self,
        selector: Callable[[K, V], K2],
        *,
        name: str | None = None,
        key: Serde[K2] | None = None,
        value: Serde[V] | None = None,
    ) -> GroupedStream[K2, V]:
        """By another key: select_key and group_by_key in one, always through a repartition topic (C1)."""
        rekeyed = self.select_key(selector, name=name)
        if name is None and key is None and value is None:
            return self.builder.new_group(rekeyed, key, rekeyed.value, name)
        value = known_serde(value, self.builder.config.default_value, rekeyed.value)
        return self.builder.new_group(rekeyed, key, value, name)

    # processors

    def process(
        self, supplier: Callable[[], Processor[K, V]], *stores: str, name: str | None = None
    ) -> Stream[Any, Any]:
        """Any processor; it may change keys, so the next step that needs them repartitions (B15)."""
        node = self._processor("KSTREAM-PROCESSOR-", name, supplier, Process(supplier), stores)
        node.key_changing = self.builder.config.processors_change_values
        return Stream(self.builder, node, sources=self.sources, rekeyed=True)

    def process_values(
        self, supplier: Callable[[], FixedKeyProcessor[K, V]], *stores: str, name: str | None = None
    ) -> Stream[K, Any]:
        """A processor that cannot change keys (B16)."""
        node = self._processor("KSTREAM-PROCESSVALUES-", name, supplier, ProcessValues(supplier), stores)
        return Stream(self.builder, node, sources=self.sources, key=self.key, rekeyed=self.rekeyed)

    # for the other files of the DSL

    def repartitioned(self, prefix: str, key: Serde[Any] | None, value: Serde[Any] | None) -> Repartition:
        """An internal topic below this stream, for a step that needs keys in place."""
        node = self.new_repartition(prefix, key, value)
        self.builder.graph.add(node, self.node)
        return node

    def new_repartition(self, prefix: str, key: Serde[Any] | None, value: Serde[Any] | None) -> Repartition:
        """The same, burning its indices, but not yet in the graph."""
        return new_repartition(self.builder.names, prefix, key, value)

    def _same(self, prefix: str, name: str | None, operator: Operator) -> Stream[K, V]:
        return self._stream(self._below(prefix, name, operator))

    def _stream(self, node: GraphNode) -> Stream[K, V]:
        return Stream(self.builder, node, sources=self.sources, key=self.key, value=self.value, rekeyed=self.rekeyed)

    def _node(self, prefix: str, name: str | None, operator: Operator) -> GraphNode:
        node_name = self.builder.names.node(prefix, name)
        return GraphNode(node_name, _writes(node_name, operator))

    def _below(
        self,
        prefix: str,
        name: str | None,
        operator: Operator,
        *,
        key_changing: bool = False,
        value_changing: bool = False,
    ) -> GraphNode:
        node = self._node(prefix, name, operator)
        node.key_changing, node.value_changing = key_changing, value_changing
        return self.builder.graph.add(node, self.node)

    def _processor(
        self, prefix: str, name: str | None, supplier: Any, operator: Operator, stores: tuple[str, ...]
    ) -> GraphNode:
        # Unlike elsewhere a given name burns no index here (reference 2.1).
        names = self.builder.names
        node_name = names.given(name) if name is not None else names.node(prefix)

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            topology.add_operator(node_name, operator, parents, stores)
            for spec in provided_stores(supplier):
                topology.add_store(spec, node_name)

        # By default Java does not say so, and may merge repartition topics from below the processor to above it (B17).
        changing = self.builder.config.processors_change_values
        return self.builder.graph.add(GraphNode(node_name, write, value_changing=changing), self.node)


def _writes(name: str, operator: Operator) -> Write:
    def write(topology: Topology, parents: tuple[str, ...]) -> None:
        topology.add_operator(name, operator, parents)

    return write
