"""Windowed streams and what is aggregated over their windows (Java: TimeWindowedKStream, SessionWindowedKStream)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from app.streams.dsl.graph import GraphNode
from app.streams.dsl.options import Keeping, Materialized, logged_headers, persistent
from app.streams.dsl.origins import StoredOrigin
from app.streams.model import Windowed
from app.streams.serdes import int64, session_windowed, windowed
from app.streams.stores.specs import SessionSpec, StoreSpec, WindowSpec
from app.streams.windows.aligned import AlignedAggregate
from app.streams.windows.definitions import Emit, FixedWindows, Sessions, Sliding, Unlimited, Windows
from app.streams.windows.fold import COUNT, Fold, reducing
from app.streams.windows.session import SessionAggregate
from app.streams.windows.sliding import SlidingAggregate
from app.streams.windows.views import SessionView, WindowView

if TYPE_CHECKING:
    from app.streams.config import StreamsConfig
    from app.streams.dsl.builder import Builder
    from app.streams.dsl.grouped import GroupedStream
    from app.streams.dsl.table import Table
    from app.streams.topology.nodes import Operator
    from app.streams.topology.topology import Topology

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")


class _Aggregations(Generic[K, V]):
    """What all kinds of windows have."""

    def __init__(self, grouped: GroupedStream[K, V], windows: Windows, emit: Emit) -> None:
        self.grouped = grouped
        self.builder = grouped.builder
        self.windows = windows
        self.emit = emit
        if isinstance(windows, Unlimited) and emit is Emit.ON_CLOSE:
            self.builder.faults.append("unlimited windows never close, so they cannot be emitted on close")

    def count(
        self, materialized: Materialized[K, int] | None = None, *, name: str | None = None
    ) -> Table[Windowed[K], int]:
        """Records per key and window. Null values count, but for sliding windows (C3)."""
        if materialized is not None and materialized.name is None and not isinstance(self.windows, Sliding):
            self.builder.names.take()  # Java asks for the store's name twice here (reference 2.1)
        keeping = self.builder.keeping(materialized, "KSTREAM-AGGREGATE-", key=self.grouped.key, value=int64)
        return self._table("KSTREAM-AGGREGATE-", name, keeping, COUNT)

    def reduce(
        self,
        reducer: Callable[[V, V], V | None],
        materialized: Materialized[K, V] | None = None,
        *,
        name: str | None = None,
    ) -> Table[Windowed[K], V]:
        """reducer(so far, new value); the first value of a window is kept as it is."""
        keeping = self.builder.keeping(materialized, "KSTREAM-REDUCE-", key=self.grouped.key, value=self.grouped.value)
        return self._table("KSTREAM-REDUCE-", name, keeping, reducing(reducer))

    def _folded(self, fold: Fold, materialized: Materialized[K, A] | None, name: str | None) -> Table[Windowed[K], A]:
        keeping = self.builder.keeping(materialized, "KSTREAM-AGGREGATE-", key=self.grouped.key)
        return self._table("KSTREAM-AGGREGATE-", name, keeping, fold)

    def _table(self, prefix: str, name: str | None, keeping: Keeping, fold: Fold) -> Table[Windowed[K], Any]:
        node_name = self.builder.names.node(prefix, name)
        check_retention(self.builder, keeping, self.windows)
        parent, sources = self.grouped.repartitioned(keeping.name)
        origin = windowed_origin(keeping.name, self.windows)

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            topology.add_store(window_store(keeping, self.windows, self.emit, topology.config))
            operator = window_operator(keeping.name, self.windows, fold, self.emit, send_old=origin.sends_old)
            topology.add_operator(node_name, operator, parents, [keeping.name])

        node = GraphNode(node_name, write, closes_after=self.windows.closes_after)
        self.builder.graph.add(node, parent)
        return self.builder.new_table(node, origin, windowed_keys(keeping, self.windows), sources)


class WindowedStream(_Aggregations[K, V]):
    """A grouped stream in windows of fixed length: tumbling, hopping, sliding, unlimited."""

    def aggregate(
        self,
        initializer: Callable[[], A],
        aggregator: Callable[[K, V, A], A | None],
        materialized: Materialized[K, A] | None = None,
        *,
        name: str | None = None,
    ) -> Table[Windowed[K], A]:
        """aggregator(key, value, so far); None deletes the row."""
        return self._folded(Fold(initializer, aggregator), materialized, name)


class SessionWindowedStream(_Aggregations[K, V]):
    """A grouped stream in sessions."""

    def aggregate(
        self,
        initializer: Callable[[], A],
        aggregator: Callable[[K, V, A], A | None],
        merger: Callable[[K, A, A], A],
        materialized: Materialized[K, A] | None = None,
        *,
        name: str | None = None,
    ) -> Table[Windowed[K], A]:
        """aggregator(key, value, so far); merger(key, one, other) when a record joins two sessions (D5)."""
        return self._folded(Fold(initializer, aggregator, merger), materialized, name)


# for cogrouped streams too


def check_retention(builder: Builder, keeping: Keeping, windows: Windows) -> None:
    """A store must keep rows for as long as a record may still change them (D12)."""
    given = keeping.given.retention
    if given is not None and given < windows.least_retention:
        builder.faults.append(
            f"store {keeping.name} is to keep {given} ms, but its windows need at least {windows.least_retention} ms"
        )


def windowed_origin(store: str, windows: Windows) -> StoredOrigin:
    return StoredOrigin(SessionView(store) if isinstance(windows, Sessions) else WindowView(store))


def windowed_keys(keeping: Keeping, windows: Windows) -> Keeping:
    """The same for the table, whose keys are windowed. Without a serde of its own it has none to hand on either."""
    if keeping.key is None:
        return keeping
    if isinstance(windows, Sessions):
        return replace(keeping, key=session_windowed(keeping.key))
    return replace(keeping, key=windowed(keeping.key, windows.span))


def window_operator(store: str, windows: Windows, fold: Fold, emit: Emit, *, send_old: bool) -> Operator:
    if isinstance(windows, Sessions):
        return SessionAggregate(store, windows, fold, emit, send_old)
    if isinstance(windows, Sliding):
        return SlidingAggregate(store, windows, fold, emit, send_old)
    return AlignedAggregate(store, windows, fold, emit, send_old)


def window_store(keeping: Keeping, windows: Windows, emit: Emit, config: StreamsConfig) -> StoreSpec:
    """The DSL's default store of a windowed aggregate (I3, I5); ordered by time where closed windows are looked for."""
    given = keeping.given
    final = emit is Emit.ON_CLOSE
    # D15: final results of sliding windows and sessions are never cached, those of others are.
    cacheable = not final or not isinstance(windows, Sliding | Sessions)
    common: dict[str, Any] = {
        "name": keeping.name,
        "key": keeping.key or config.default_key,
        "value": keeping.value or config.default_value,
        "persistent": persistent(given, config),
        "caching": given.caching and cacheable and config.cache_bytes > 0,
        "logging": given.logging,
        "log_config": given.log_config,
        "retention": given.retention if given.retention is not None else windows.least_retention,
        "time_ordered": final,
        "log_headers": logged_headers(config, persistent=persistent(given, config)),
    }
    if isinstance(windows, Sessions):
        return SessionSpec(**common)
    return WindowSpec(size=_span(windows), timestamped=True, **common)


def _span(windows: FixedWindows) -> int:
    return windows.span
