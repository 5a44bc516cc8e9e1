"""Grouped streams and what is aggregated over their keys (C1, C2; Java: KGroupedStream)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from app.streams.dsl.cogrouped import CogroupedStream
from app.streams.dsl.graph import GraphNode, Repartition
from app.streams.dsl.options import Keeping, Materialized
from app.streams.dsl.origins import StoredOrigin
from app.streams.dsl.windowed import SessionWindowedStream, WindowedStream
from app.streams.serdes import int64
from app.streams.tables.aggregate import Aggregate, Count, Reduce
from app.streams.tables.views import StoreView
from app.streams.topology.nodes import Operator
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import Emit, FixedWindows, Sessions, Windows

if TYPE_CHECKING:
    from app.streams.dsl.stream import Stream
    from app.streams.dsl.table import Table
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")


class GroupedStream(Generic[K, V]):
    """A stream whose records of one key belong together. name: of its repartition topic, if it needs one."""

    def __init__(
        self, stream: Stream[Any, Any], key: Serde[K] | None, value: Serde[V] | None, name: str | None
    ) -> None:
        self.stream = stream
        self.builder = stream.builder
        self.key = key
        self.value = value
        self.name = name
        # A named repartition is built once and shared by all aggregates of the group.
        self._shared: Repartition | None = None

    def count(self, materialized: Materialized[K, int] | None = None, *, name: str | None = None) -> Table[K, int]:
        """Records per key; those without a key or a value are dropped (C2)."""
        if materialized is not None and materialized.name is None:
            self.builder.names.take()  # Java asks for the store's name twice here (reference 2.1)
        keeping = self.builder.keeping(materialized, "KSTREAM-AGGREGATE-", key=self.key, value=int64)
        return self.aggregated("KSTREAM-AGGREGATE-", name, keeping, lambda old: Count(keeping.name, old))

    def reduce(
        self,
        reducer: Callable[[V, V], V | None],
        materialized: Materialized[K, V] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, V]:
        """reducer(so far, new value); the first value is kept as it is (C2)."""
        keeping = self.builder.keeping(materialized, "KSTREAM-REDUCE-", key=self.key, value=self.value)
        return self.aggregated("KSTREAM-REDUCE-", name, keeping, lambda old: Reduce(keeping.name, reducer, old))

    def aggregate(
        self,
        initializer: Callable[[], A],
        aggregator: Callable[[K, V, A], A | None],
        materialized: Materialized[K, A] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, A]:
        """aggregator(key, value, so far); None deletes the row (C2)."""
        keeping = self.builder.keeping(materialized, "KSTREAM-AGGREGATE-", key=self.key)
        return self.aggregated(
            "KSTREAM-AGGREGATE-", name, keeping, lambda old: Aggregate(keeping.name, initializer, aggregator, old)
        )

    @overload
    def windowed_by(self, windows: Sessions, emit: Emit | None = None) -> SessionWindowedStream[K, V]: ...
    @overload
    def windowed_by(self, windows: FixedWindows, emit: Emit | None = None) -> WindowedStream[K, V]: ...
    def windowed_by(
        self, windows: Windows, emit: Emit | None = None
    ) -> WindowedStream[K, V] | SessionWindowedStream[K, V]:
        """In windows. emit: whether each update is handed on (D13, as if not told) or only final results (D14)."""
        emit = Emit.ON_UPDATE if emit is None else emit
        if isinstance(windows, Sessions):
            return SessionWindowedStream(self, windows, emit)
        return WindowedStream(self, windows, emit)

    def cogroup(self, aggregator: Callable[[K, V, A], A | None]) -> CogroupedStream[K, A]:
        """The first of several streams that are folded into one aggregate per key (C8)."""
        return CogroupedStream({self: aggregator}, {})

    # for the other files of the DSL

    def repartitioned(self, store: str) -> tuple[GraphNode, frozenset[str]]:
        """The node an aggregate hangs on, and the sources above it: behind a topic if keys were changed (C1)."""
        if not self.stream.rekeyed:
            return self.stream.node, self.stream.sources
        # The triple of indices is burnt each time, even if the topic is there already.
        made = self.stream.new_repartition(self.name or store, self.key, self.value)
        if self._shared is None or self.name is None:
            self._shared = made
            self.builder.graph.add(made, self.stream.node)
        return self._shared, frozenset([self._shared.name])

    def aggregated(
        self, prefix: str, name: str | None, keeping: Keeping, operator: Callable[[bool], Operator]
    ) -> Table[K, Any]:
        """The node and table of an unwindowed aggregate; operator(sends old values) is asked for at build."""
        node_name = self.builder.names.node(prefix, name)
        parent, sources = self.repartitioned(keeping.name)
        origin = StoredOrigin(StoreView(keeping.name))

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            topology.add_store(keeping.timestamped(topology.config))
            topology.add_operator(node_name, operator(origin.sends_old), parents, [keeping.name])

        node = self.builder.graph.add(GraphNode(node_name, write), parent)
        return self.builder.new_table(node, origin, keeping, sources)
