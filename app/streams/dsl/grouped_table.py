"""Tables grouped by another key, and what is aggregated over their rows (C4-C7; Java: KGroupedTable)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from app.streams.dsl.graph import SUFFIX, GraphNode
from app.streams.dsl.options import Keeping, Materialized
from app.streams.dsl.origins import StoredOrigin
from app.streams.serdes import int64
from app.streams.serdes.changed import changed
from app.streams.tables.table_aggregate import TableAggregate, TableReduce, table_count
from app.streams.tables.views import StoreView
from app.streams.topology.nodes import Operator, SinkNode, SourceNode
from app.streams.topology.topology import InternalTopic, Topology

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.dsl.table import Table
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")


class GroupedTable(Generic[K, V]):
    """A table's rows under another key, through a topic of changes. name: of that topic."""

    def __init__(
        self, builder: Builder, node: GraphNode, key: Serde[K] | None, value: Serde[V] | None, name: str | None
    ) -> None:
        self.builder = builder
        self.node = node
        self.key = key
        self.value = value
        self.name = name
        # A named topic is made once and shared by all aggregates of the group.
        self._shared: GraphNode | None = None

    def count(self, materialized: Materialized[K, int] | None = None, *, name: str | None = None) -> Table[K, int]:
        """Rows per key; a key that lost all its rows has 0 (C6)."""
        keeping = self.builder.keeping(materialized, "KTABLE-AGGREGATE-", key=self.key, value=int64)
        return self._table("KTABLE-AGGREGATE-", name, keeping, lambda old: table_count(keeping.name, send_old=old))

    def reduce(
        self,
        adder: Callable[[V, V], V | None],
        subtractor: Callable[[V, V], V | None],
        materialized: Materialized[K, V] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, V]:
        """adder(so far, new value) and subtractor(so far, old value); the first value is kept as it is (C6)."""
        keeping = self.builder.keeping(materialized, "KTABLE-AGGREGATE-", key=self.key, value=self.value)
        return self._table(
            "KTABLE-REDUCE-", name, keeping, lambda old: TableReduce(keeping.name, adder, subtractor, old)
        )

    def aggregate(
        self,
        initializer: Callable[[], A],
        adder: Callable[[K, V, A], A | None],
        subtractor: Callable[[K, V, A], A | None],
        materialized: Materialized[K, A] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, A]:
        """adder(key, new value, so far) and subtractor(key, old value, so far); None deletes the row (C6)."""
        keeping = self.builder.keeping(materialized, "KTABLE-AGGREGATE-", key=self.key)
        return self._table(
            "KTABLE-AGGREGATE-",
            name,
            keeping,
            lambda old: TableAggregate(keeping.name, initializer, adder, subtractor, old),
        )

    def _table(
        self, prefix: str, name: str | None, keeping: Keeping, operator: Callable[[bool], Operator]
    ) -> Table[K, Any]:
        names = self.builder.names
        sink = names.node("KSTREAM-SINK-", f"{name}-sink" if name is not None else None)
        source = names.node("KSTREAM-SOURCE-", f"{name}-source" if name is not None else None)
        node_name = names.node(prefix, name)
        if self._shared is None or self.name is None:
            topic = (self.name if self.name is not None else keeping.name) + SUFFIX
            self._shared = self.builder.graph.add(self._repartition(topic, sink, source), self.node)
        origin = StoredOrigin(StoreView(keeping.name))

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            topology.add_store(keeping.timestamped(topology.config))
            topology.add_operator(node_name, operator(origin.sends_old), parents, [keeping.name])

        node = self.builder.graph.add(GraphNode(node_name, write), self._shared)
        return self.builder.new_table(node, origin, keeping, frozenset([self._shared.name]))

    def _repartition(self, topic: str, sink: str, source: str) -> GraphNode:
        """The topic of changes, with a sink and a source. Rows without a key never get this far."""

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            inner = self.value or topology.config.default_value
            value = None if inner is None else changed(inner)
            topology.add_internal_topic(InternalTopic(topic, None))
            topology.add_node(SinkNode(sink, parents, topic, self.key, value, internal=True))
            topology.add_node(SourceNode(source, (topic,), key=self.key, value=value, internal=True))

        return GraphNode(source, write)
