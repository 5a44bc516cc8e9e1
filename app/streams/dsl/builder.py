"""The entry of the DSL: sources, tables and stores; `build` gives the topology (Java: StreamsBuilder)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from app.streams.config import Extractor, Optimization, StreamsConfig
from app.streams.dsl.global_table import GlobalTable
from app.streams.dsl.graph import Graph, GraphNode, StreamSource, TableSource, merge_duplicate_sources, write_source
from app.streams.dsl.grouped import GroupedStream
from app.streams.dsl.optimize import optimize, reuse_source_topics
from app.streams.dsl.options import Keeping, Materialized
from app.streams.dsl.origins import Origin, SourceOrigin
from app.streams.dsl.stream import Stream
from app.streams.dsl.table import Table
from app.streams.stores.specs import StoreSpec
from app.streams.topology.names import Names
from app.streams.topology.nodes import Reset, SourceNode
from app.streams.topology.processor import Process, Processor
from app.streams.topology.topology import Topology

if TYPE_CHECKING:
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")


class Builder:
    """Collects what the methods of streams and tables say; nothing is made before `build`."""

    def __init__(self, config: StreamsConfig | None = None) -> None:
        self.config = config if config is not None else StreamsConfig()
        self.names = Names()
        self.graph = Graph()
        self.faults: list[str] = []

    def stream(
        self,
        *topics: str,
        pattern: str | None = None,
        key: Serde[K] | None = None,
        value: Serde[V] | None = None,
        extractor: Extractor | None = None,
        reset: Reset | int | None = None,
        name: str | None = None,
    ) -> Stream[K, V]:
        """Records of one or several topics, or of all topics whose whole name matches a pattern (B1, B2).

        reset: where to begin without a committed offset; an int means that many ms before now.
        """
        if not topics and pattern is None:
            self.faults.append("a stream needs topics or a pattern")
        node_name = self.names.node("KSTREAM-SOURCE-", name)
        compiled = re.compile(pattern) if pattern is not None else None
        source = SourceNode(node_name, topics, compiled, key, value, extractor, reset)
        node = self.graph.add(StreamSource(node_name, write_source(source), source=source))
        return Stream(self, node, key=key, value=value, sources=frozenset([node_name]))

    def table(  # noqa: PLR0913  # one keyword per option of Java's Consumed
        self,
        topic: str,
        materialized: Materialized[K, V] | None = None,
        *,
        key: Serde[K] | None = None,
        value: Serde[V] | None = None,
        extractor: Extractor | None = None,
        reset: Reset | int | None = None,
        name: str | None = None,
    ) -> Table[K, V]:
        """A changelog topic as a table: a null value deletes (E1). In a store only where needed or asked for."""
        keeping, source_name, table_name = self._table_names(topic, materialized, key, value, name)
        source = SourceNode(source_name, (topic,), None, keeping.key, keeping.value, extractor, reset)
        origin = SourceOrigin(keeping.name, materialized=keeping.queryable)

        def write(topology: Topology, _parents: tuple[str, ...]) -> None:
            topology.add_node(source)
            origin.write(topology, table_name, (source_name,), keeping)

        def stored() -> str | None:
            return keeping.name if origin.materialized else None

        node = self.graph.add(TableSource(table_name, write, topic=topic, store=stored))
        return self.new_table(node, origin, keeping, frozenset([source_name]))

    def global_table(
        self,
        topic: str,
        materialized: Materialized[K, V] | None = None,
        *,
        key: Serde[K] | None = None,
        value: Serde[V] | None = None,
        extractor: Extractor | None = None,
        name: str | None = None,
    ) -> GlobalTable[K, V]:
        """A topic kept in full by every instance (E9); always in a store, never logged, never versioned."""
        keeping, source_name, table_name = self._table_names(topic, materialized, key, value, name)
        if keeping.given.versioned is not None:
            self.faults.append(f"global table {topic} cannot be versioned")
        source = SourceNode(source_name, (topic,), None, keeping.key, keeping.value, extractor)
        origin = SourceOrigin(keeping.name, materialized=True)

        def write(topology: Topology, _parents: tuple[str, ...]) -> None:
            spec = keeping.timestamped(topology.config)
            topology.add_global_store(spec, source, table_name, origin.operator())

        self.graph.add(GraphNode(table_name, write))
        return GlobalTable(self, keeping.name)

    def add_store(self, spec: StoreSpec) -> Builder:
        """A store for processors, connected by name in `process` (Java: addStateStore)."""
        self.graph.add(GraphNode(spec.name, lambda topology, _parents: _ignore(topology.add_store(spec))))
        return self

    def add_global_store(  # noqa: PLR0913  # one keyword per option of Java's Consumed
        self,
        spec: StoreSpec,
        topic: str,
        supplier: Callable[[], Processor[Any, Any]],
        *,
        key: Serde[Any] | None = None,
        value: Serde[Any] | None = None,
        extractor: Extractor | None = None,
        name: str | None = None,
    ) -> Builder:
        """A store on every instance, kept by a processor of the user's (H15)."""
        source_name = self.names.node("KSTREAM-SOURCE-", f"{name}-source" if name is not None else None)
        processor_name = self.names.node("KTABLE-SOURCE-", name)
        source = SourceNode(source_name, (topic,), None, key, value, extractor)

        def write(topology: Topology, _parents: tuple[str, ...]) -> None:
            topology.add_global_store(spec, source, processor_name, Process(supplier))

        self.graph.add(GraphNode(processor_name, write))
        return self

    def build(self) -> Topology:
        """The topology, optimized as configured; raises a TopologyError that lists every fault."""
        topology = Topology(self.config)
        for fault in self.names.faults + self.faults + merge_duplicate_sources(self.graph):
            topology.fault(fault)
        if self.config.explicit_names and self.names.implicit:
            implicit = ", ".join(self.names.implicit)
            topology.fault(f"these stores and internal topics need names of their own: {implicit}")
        if self.config.optimizes(Optimization.REUSE_SOURCE_TOPICS):
            reuse_source_topics(self.graph, topology)
        optimize(self.graph, self.names, self.config)
        self.graph.write(topology)
        return topology.validate()

    # for the other files of the DSL: a stream leads to tables and groups, and both back to streams

    def new_stream(
        self,
        node: GraphNode,
        sources: frozenset[str],
        key: Serde[Any] | None,
        value: Serde[Any] | None = None,
        *,
        rekeyed: bool = False,
    ) -> Stream[Any, Any]:
        return Stream(self, node, sources=sources, key=key, value=value, rekeyed=rekeyed)

    def new_table(
        self,
        node: GraphNode,
        origin: Origin,
        keeping: Keeping | None,
        sources: frozenset[str],
        *,
        key: Serde[Any] | None = None,
        versioned: bool | None = None,
    ) -> Table[Any, Any]:
        """key: of the table, where it is not that of its store."""
        if key is None and keeping is not None:
            key = keeping.key
        value = keeping.value if keeping is not None else None
        return Table(self, node, origin, key=key, value=value, sources=sources, keeping=keeping, versioned=versioned)

    def new_group(
        self, stream: Stream[Any, Any], key: Serde[Any] | None, value: Serde[Any] | None, name: str | None
    ) -> GroupedStream[Any, Any]:
        return GroupedStream(stream, key, value, name)

    def keeping(
        self, materialized: Materialized[Any, Any] | None, prefix: str, *, key: Any = None, value: Any = None
    ) -> Keeping:
        """Fill the gaps of a Materialized; a store that was not named gets a generated name, and burns an index."""
        given = materialized if materialized is not None else Materialized()
        name = self.names.store(prefix, given.name)
        return Keeping(
            name=name,
            queryable=given.name is not None,
            key=given.key if given.key is not None else key,
            value=given.value if given.value is not None else value,
            given=given,
        )

    def _table_names(
        self, topic: str, materialized: Materialized[Any, Any] | None, key: Any, value: Any, name: str | None
    ) -> tuple[Keeping, str, str]:
        given = materialized if materialized is not None else Materialized()
        if key is not None or value is not None:
            # The serdes of the source win over those of the store, which must read the same bytes.
            given = replace(given, key=key or given.key, value=value or given.value)
        keeping = self.keeping(given, f"{topic}-")
        source = self.names.node("KSTREAM-SOURCE-", f"{name}-source" if name is not None else None)
        return keeping, source, self.names.node("KTABLE-SOURCE-", name)


def _ignore(_result: object) -> None:
    """For lambdas that must give None."""
