"""Tables (Java: KTable): the latest value of each key, and the stream of its changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from app.streams.dsl.graph import GraphNode
from app.streams.dsl.options import Keeping, Materialized
from app.streams.dsl.origins import DerivedOrigin, Origin
from app.streams.dsl.stream import Stream
from app.streams.dsl.suppressing import TableSuppression
from app.streams.dsl.table_grouping import TableGroups
from app.streams.dsl.table_joining import TableJoins
from app.streams.tables.filter import TableFilter
from app.streams.tables.map_values import TableMapValues
from app.streams.tables.to_stream import ToStream
from app.streams.tables.views import ComputedView, View
from app.streams.topology.nodes import Operator
from app.streams.topology.topology import Topology

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")


class Table(TableJoins[K, V], TableGroups[K, V], TableSuppression[K, V]):
    """origin: how it comes about. keeping: how it is, or would be, kept in a store."""

    def __init__(  # noqa: PLR0913  # made by the DSL only
        self,
        builder: Builder,
        node: GraphNode,
        origin: Origin,
        *,
        sources: frozenset[str],
        key: Serde[K] | None = None,
        value: Serde[V] | None = None,
        keeping: Keeping | None = None,
        versioned: bool | None = None,
    ) -> None:
        self.builder = builder
        self.node = node
        self.origin = origin
        self.sources = sources
        self.key = key
        self.value = value
        self.keeping = keeping
        # Whether its changes carry versioned semantics (F15): kept versioned, or derived without a store from such.
        self.versioned = (
            versioned if versioned is not None else keeping is not None and keeping.given.versioned is not None
        )

    @property
    def store_name(self) -> str | None:
        """The name it can be queried by, if it was given one (Java: queryableStoreName)."""
        return self.keeping.name if self.keeping is not None and self.keeping.queryable else None

    def filter(
        self,
        predicate: Callable[[K, V], bool],
        materialized: Materialized[K, V] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, V]:
        """Rows that fail become tombstones (E5)."""
        return self._filter(predicate, materialized, name, negate=False)

    def filter_not(
        self,
        predicate: Callable[[K, V], bool],
        materialized: Materialized[K, V] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, V]:
        return self._filter(predicate, materialized, name, negate=True)

    def map_values(
        self, mapper: Callable[[K, V], V2], materialized: Materialized[K, V2] | None = None, *, name: str | None = None
    ) -> Table[K, V2]:
        """Another value for each row; deletions stay deletions and the mapper does not see them (E6)."""
        return self._map_values("KTABLE-MAPVALUES-", mapper, materialized, name)

    def transform_values(
        self,
        transform: Callable[[K, V | None], V2 | None],
        materialized: Materialized[K, V2] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, V2]:
        """As map_values, but the function is called for deletions too (E6)."""
        return self._map_values("KTABLE-TRANSFORMVALUES-", transform, materialized, name, of_null=True)

    @overload
    def to_stream(self, *, name: str | None = None) -> Stream[K, V]: ...
    @overload
    def to_stream(self, selector: Callable[[K, V], K2], *, name: str | None = None) -> Stream[K2, V]: ...
    def to_stream(self, selector: Callable[[K, V], Any] | None = None, *, name: str | None = None) -> Stream[Any, V]:
        """The changes as records, deletions as null values; with a selector under another key (E7)."""
        node_name = self.builder.names.node("KTABLE-TOSTREAM-", name)
        node = GraphNode(
            node_name, lambda topology, parents: _ignore(topology.add_operator(node_name, ToStream(), parents))
        )
        self.builder.graph.add(node, self.node)
        stream: Stream[K, V] = Stream(self.builder, node, sources=self.sources, key=self.key, value=self.value)
        return stream if selector is None else stream.select_key(selector)

    def _filter(
        self,
        predicate: Callable[[K, V], bool],
        materialized: Materialized[K, V] | None,
        name: str | None,
        *,
        negate: bool,
    ) -> Table[K, V]:
        keeping = self._derived_keeping("KTABLE-FILTER-", materialized, self.value)
        node_name = self.builder.names.node("KTABLE-FILTER-", name)
        passed = TableFilter(predicate, negate, None, send_old=False).passed
        origin = DerivedOrigin(self.origin, _queryable(keeping), lambda parent: ComputedView(parent, passed))
        # Old values cost nothing here if the parent has them at hand, and spare needless tombstones.
        origin.sends_old = self.origin.send_old_values(force=False)
        versioned = (
            self.versioned if origin.store is None else keeping is not None and keeping.given.versioned is not None
        )

        def operator() -> Operator:
            return TableFilter(predicate, negate, origin.store, origin.sends_old, versioned=self.versioned)

        node = self._derived(node_name, operator, keeping)
        return Table(
            self.builder,
            node,
            origin,
            sources=self.sources,
            key=keeping.key if keeping is not None else self.key,
            value=keeping.value if keeping is not None else self.value,
            keeping=keeping,
            versioned=versioned,
        )

    def _map_values(
        self,
        prefix: str,
        mapper: Callable[[K, Any], Any],
        materialized: Materialized[K, V2] | None,
        name: str | None,
        *,
        of_null: bool = False,
    ) -> Table[K, V2]:
        if of_null and materialized is not None and materialized.name is None:
            # transformValues burns no index here, unlike mapValues and filter; nothing would be kept in any case.
            materialized = None
        keeping = self._derived_keeping(prefix, materialized, None)
        node_name = self.builder.names.node(prefix, name)
        mapped = TableMapValues(mapper, of_null, None, send_old=False).mapped

        def computed(parent: View) -> View:
            return ComputedView(parent, mapped, of_absent=of_null)

        origin = DerivedOrigin(self.origin, _queryable(keeping), computed)
        versioned = (
            self.versioned if origin.store is None else keeping is not None and keeping.given.versioned is not None
        )

        def operator() -> Operator:
            return TableMapValues(mapper, of_null, origin.store, origin.sends_old)

        node = self._derived(node_name, operator, keeping)
        return Table(
            self.builder,
            node,
            origin,
            sources=self.sources,
            key=keeping.key if keeping is not None else self.key,
            value=keeping.value if keeping is not None else None,
            keeping=keeping,
            versioned=versioned,
        )

    def _derived_keeping(self, prefix: str, materialized: Materialized[Any, Any] | None, value: Any) -> Keeping | None:
        """An unnamed Materialized burns an index before the node's, but materializes nothing (reference 2.1)."""
        if materialized is None:
            return None
        return self.builder.keeping(materialized, prefix, key=self.key, value=value)

    def _derived(self, name: str, operator: Callable[[], Operator], keeping: Keeping | None) -> GraphNode:
        store = _queryable(keeping)

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            if keeping is not None and store is not None:
                topology.add_store(keeping.timestamped(topology.config))
                topology.add_operator(name, operator(), parents, [store])
            else:
                topology.add_operator(name, operator(), parents)

        return self.builder.graph.add(GraphNode(name, write), self.node)


def _queryable(keeping: Keeping | None) -> str | None:
    return keeping.name if keeping is not None and keeping.queryable else None


def _ignore(_result: object) -> None:
    """For lambdas that must give None."""
