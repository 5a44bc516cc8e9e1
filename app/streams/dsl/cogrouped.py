"""Several grouped streams folded into one aggregate per key (C8; Java: CogroupedKStream)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from app.streams.dsl.graph import GraphNode, Repartition
from app.streams.dsl.options import Keeping, Materialized, known_serde
from app.streams.dsl.origins import StoredOrigin
from app.streams.dsl.windowed import check_retention, window_operator, window_store, windowed_keys, windowed_origin
from app.streams.model import Windowed
from app.streams.operators.stateless import PassThrough
from app.streams.tables.aggregate import Aggregate
from app.streams.tables.views import StoreView
from app.streams.windows.definitions import Emit, FixedWindows, Sessions, Windows
from app.streams.windows.fold import Fold

if TYPE_CHECKING:
    from app.streams.dsl.grouped import GroupedStream
    from app.streams.dsl.table import Table
    from app.streams.stores.specs import StoreSpec
    from app.streams.topology.nodes import Operator
    from app.streams.topology.topology import Topology

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")

AGGREGATE = "COGROUPKSTREAM-AGGREGATE-"
MERGE = "COGROUPKSTREAM-MERGE-"

Aggregator: TypeAlias = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the nodes of one aggregate share. store: gives the same spec to whichever of them is written first."""

    keeping: Keeping
    windows: Windows | None
    origin: StoredOrigin
    store: Callable[[Topology], StoreSpec]
    operator: Callable[[Aggregator, bool], Operator]

    def node(self, name: str, aggregator: Aggregator) -> GraphNode:
        """The aggregate of one input."""

        def write(topology: Topology, above: tuple[str, ...]) -> None:
            topology.add_store(self.store(topology))
            topology.add_operator(name, self.operator(aggregator, self.origin.sends_old), above, [self.keeping.name])

        return GraphNode(name, write, closes_after=None if self.windows is None else self.windows.closes_after)


class CogroupedStream(Generic[K, A]):
    """Grouped streams with an aggregator each; all of them update the same aggregate.

    repartitions: the topics made for them so far, which later aggregates of the same groups use again.
    """

    def __init__(
        self,
        inputs: dict[GroupedStream[K, Any], Aggregator],
        repartitions: dict[GroupedStream[K, Any], Repartition],
    ) -> None:
        self.inputs = inputs
        self.repartitions = repartitions

    def cogroup(self, grouped: GroupedStream[K, V], aggregator: Callable[[K, V, A], A | None]) -> CogroupedStream[K, A]:
        """One stream more. A stream that is in already gets the new aggregator."""
        return CogroupedStream({**self.inputs, grouped: aggregator}, self.repartitions)

    @overload
    def windowed_by(self, windows: Sessions) -> SessionWindowedCogroupedStream[K, A]: ...
    @overload
    def windowed_by(self, windows: FixedWindows) -> WindowedCogroupedStream[K, A]: ...
    def windowed_by(self, windows: Windows) -> WindowedCogroupedStream[K, A] | SessionWindowedCogroupedStream[K, A]:
        """In windows. Results are always handed on at each update: Java has no emit on close here either."""
        if isinstance(windows, Sessions):
            return SessionWindowedCogroupedStream(self, windows)
        return WindowedCogroupedStream(self, windows)

    def aggregate(
        self, initializer: Callable[[], A], materialized: Materialized[K, A] | None = None, *, name: str | None = None
    ) -> Table[K, A]:
        """One aggregate per key, which begins as the initializer's result."""
        keeping = self._keeping(materialized)

        def operator(aggregator: Aggregator, send_old: bool) -> Operator:
            return Aggregate(keeping.name, initializer, aggregator, send_old)

        @cache
        def store(topology: Topology) -> StoreSpec:
            return keeping.timestamped(topology.config)

        return self.aggregated(name, Plan(keeping, None, StoredOrigin(StoreView(keeping.name)), store, operator))

    # for the windowed forms

    def windowed_aggregate(
        self, windows: Windows, fold: Callable[[Aggregator], Fold], materialized: Any, name: str | None
    ) -> Table[Windowed[K], A]:
        keeping = self._keeping(materialized)
        check_retention(next(iter(self.inputs)).builder, keeping, windows)

        def operator(aggregator: Aggregator, send_old: bool) -> Operator:
            return window_operator(keeping.name, windows, fold(aggregator), Emit.ON_UPDATE, send_old=send_old)

        @cache
        def store(topology: Topology) -> StoreSpec:
            return window_store(keeping, windows, Emit.ON_UPDATE, topology.config)

        return self.aggregated(name, Plan(keeping, windows, windowed_origin(keeping.name, windows), store, operator))

    def aggregated(self, name: str | None, plan: Plan) -> Table[Any, A]:
        """A node per input over one store, and one that merges what they hand on."""
        builder = next(iter(self.inputs)).builder
        parents = {grouped: self._repartitioned(grouped, plan.keeping.name) for grouped in self.inputs}
        sources = [frozenset([above.name]) if above else grouped.stream.sources for grouped, above in parents.items()]
        if len(sources) > 1:
            builder.graph.copartition(*sources)
        nodes = []
        for number, (grouped, aggregator) in enumerate(self.inputs.items()):
            given = f"{name}-cogroup-agg-{number}" if name is not None else None
            node = plan.node(builder.names.node(AGGREGATE, given), aggregator)
            nodes.append(builder.graph.add(node, parents[grouped] or grouped.stream.node))
        merge_name = builder.names.node(MERGE, f"{name}-cogroup-merge" if name is not None else None)

        def write_merge(topology: Topology, above: tuple[str, ...]) -> None:
            topology.add_operator(merge_name, PassThrough(), above)

        merge = builder.graph.add(GraphNode(merge_name, write_merge), *nodes)
        keeping = plan.keeping if plan.windows is None else windowed_keys(plan.keeping, plan.windows)
        return builder.new_table(merge, plan.origin, keeping, frozenset().union(*sources))

    def _keeping(self, materialized: Materialized[K, A] | None) -> Keeping:
        """Unlike elsewhere a default key serde comes before that of the groups."""
        group = next(iter(self.inputs))
        known = known_serde(None, group.builder.config.default_key, group.key)
        return group.builder.keeping(materialized, AGGREGATE, key=known)

    def _repartitioned(self, grouped: GroupedStream[K, Any], store: str) -> Repartition | None:
        """The topic above an aggregate whose stream changed keys; made once, but its indices are burnt each time."""
        if not grouped.stream.rekeyed:
            return None
        made = grouped.stream.new_repartition(grouped.name or store, grouped.key, grouped.value)
        if grouped not in self.repartitions:
            self.repartitions[grouped] = made
            grouped.builder.graph.add(made, grouped.stream.node)
        return self.repartitions[grouped]


class WindowedCogroupedStream(Generic[K, A]):
    """Cogrouped streams in windows of fixed length (Java: TimeWindowedCogroupedKStream)."""

    def __init__(self, cogrouped: CogroupedStream[K, A], windows: FixedWindows) -> None:
        self.cogrouped = cogrouped
        self.windows = windows

    def aggregate(
        self, initializer: Callable[[], A], materialized: Materialized[K, A] | None = None, *, name: str | None = None
    ) -> Table[Windowed[K], A]:
        return self.cogrouped.windowed_aggregate(
            self.windows, lambda aggregator: Fold(initializer, aggregator), materialized, name
        )


class SessionWindowedCogroupedStream(Generic[K, A]):
    """Cogrouped streams in sessions (Java: SessionWindowedCogroupedKStream)."""

    def __init__(self, cogrouped: CogroupedStream[K, A], windows: Sessions) -> None:
        self.cogrouped = cogrouped
        self.windows = windows

    def aggregate(
        self,
        initializer: Callable[[], A],
        merger: Callable[[K, A, A], A],
        materialized: Materialized[K, A] | None = None,
        *,
        name: str | None = None,
    ) -> Table[Windowed[K], A]:
        """merger(key, one, other) when a record joins two sessions (D5)."""
        return self.cogrouped.windowed_aggregate(
            self.windows, lambda aggregator: Fold(initializer, aggregator, merger), materialized, name
        )
