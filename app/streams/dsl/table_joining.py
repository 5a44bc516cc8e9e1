"""Joins of tables, by key and by foreign key. A mixin of `Table`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from app.streams.dsl.foreign_join import join_foreign
from app.streams.dsl.graph import GraphNode
from app.streams.dsl.options import Keeping, Materialized, WithKey, joiner_of
from app.streams.dsl.windowed_join import JoinKind
from app.streams.joins.table_table import JoinedView, TableJoinMerge, TableJoinSide
from app.streams.tables.views import StoreView, View
from app.streams.topology.topology import Topology

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.dsl.origins import Origin
    from app.streams.dsl.table import Table
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
R = TypeVar("R")


class TableJoins(Generic[K, V]):
    """Methods `Table` has besides its own. A joiner takes both values, or with `WithKey` the key before them."""

    builder: Builder
    node: GraphNode
    origin: Origin
    sources: frozenset[str]
    key: Serde[K] | None
    value: Serde[V] | None
    versioned: bool

    @overload
    def join(
        self,
        other: Table[K, V2],
        joiner: Callable[[V, V2], R] | WithKey[K, V, V2, R],
        materialized: Materialized[K, R] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, R]: ...
    @overload
    def join(
        self,
        other: Table[K2, V2],
        joiner: Callable[[V, V2], R],
        materialized: Materialized[K, R] | None = None,
        *,
        foreign_key: Callable[[K, V], K2 | None],
        name: str | None = None,
    ) -> Table[K, R]: ...
    def join(
        self,
        other: Table[Any, Any],
        joiner: Any,
        materialized: Materialized[Any, Any] | None = None,
        *,
        foreign_key: Callable[[K, V], Any] | None = None,
        name: str | None = None,
    ) -> Table[K, Any]:
        """Rows that both tables have (F13); with `foreign_key` the other table's row of the key it gives (F16)."""
        if foreign_key is not None:
            return join_foreign(self, other, joiner, materialized, foreign_key, name=name, outer=False)
        return _join_by_key(JoinKind.INNER, self, other, joiner, materialized, name)

    @overload
    def left_join(
        self,
        other: Table[K, V2],
        joiner: Callable[[V, V2 | None], R] | WithKey[K, V, V2 | None, R],
        materialized: Materialized[K, R] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, R]: ...
    @overload
    def left_join(
        self,
        other: Table[K2, V2],
        joiner: Callable[[V, V2 | None], R],
        materialized: Materialized[K, R] | None = None,
        *,
        foreign_key: Callable[[K, V], K2 | None],
        name: str | None = None,
    ) -> Table[K, R]: ...
    def left_join(
        self,
        other: Table[Any, Any],
        joiner: Any,
        materialized: Materialized[Any, Any] | None = None,
        *,
        foreign_key: Callable[[K, V], Any] | None = None,
        name: str | None = None,
    ) -> Table[K, Any]:
        """All rows of this table, with None where the other one has none (F14, F17)."""
        if foreign_key is not None:
            return join_foreign(self, other, joiner, materialized, foreign_key, name=name, outer=True)
        return _join_by_key(JoinKind.LEFT, self, other, joiner, materialized, name)

    def outer_join(
        self,
        other: Table[K, V2],
        joiner: Callable[[V | None, V2 | None], R] | WithKey[K, V | None, V2 | None, R],
        materialized: Materialized[K, R] | None = None,
        *,
        name: str | None = None,
    ) -> Table[K, R]:
        """All rows of either table (F14)."""
        return _join_by_key(JoinKind.OUTER, self, other, joiner, materialized, name)


class JoinOrigin:
    """A table that is a join: old values need those of both sides (E8)."""

    def __init__(self, left: Origin, right: Origin, view: View) -> None:
        self._sides = left, right
        self._view = view
        self.sends_old = False

    def send_old_values(self, *, force: bool) -> bool:
        """Forced in any case: a join can only know what both sides know."""
        for side in self._sides:
            side.send_old_values(force=True)
        self.sends_old = True
        return True

    def view(self) -> View:
        return self._view


def _join_by_key(
    kind: JoinKind,
    left: TableJoins[Any, Any],
    right: TableJoins[Any, Any],
    joiner: Any,
    materialized: Materialized[Any, Any] | None,
    name: str | None,
) -> Table[Any, Any]:
    """Names: [a store, if Materialized has none], the merge, this side, the other side (reference 2.1)."""
    builder = left.builder
    # Unlike other tables, a join is kept in a store as soon as there is a Materialized, named or not.
    keeping = None if materialized is None else builder.keeping(materialized, "KTABLE-MERGE-", key=left.key)
    merge = builder.names.node("KTABLE-MERGE-", name)
    this = builder.names.node("KTABLE-JOINTHIS-", None if name is None else f"{name}-join-this")
    other = builder.names.node("KTABLE-JOINOTHER-", None if name is None else f"{name}-join-other")
    builder.graph.copartition(left.sources, right.sources)
    if kind.keeps_left:
        left.origin.send_old_values(force=True)
    if kind.keeps_right:
        right.origin.send_old_values(force=True)
    join = _KeyJoin(kind, left, right, joiner_of(joiner), keeping)
    node = GraphNode(merge, lambda topology, _parents: join.write(topology, merge, this, other))
    builder.graph.add(node, left.node, right.node)
    versioned = keeping is not None and keeping.given.versioned is not None
    return builder.new_table(
        node, join.origin, keeping, left.sources | right.sources, key=None if keeping else left.key, versioned=versioned
    )


class _KeyJoin:
    """What the write of a table-table join needs to know; the views are taken at call time, as Java does."""

    def __init__(
        self,
        kind: JoinKind,
        left: TableJoins[Any, Any],
        right: TableJoins[Any, Any],
        joiner: Callable[[Any, Any, Any], Any],
        keeping: Keeping | None,
    ) -> None:
        self.kind = kind
        self.left = left
        self.right = right
        self.joiner = joiner
        self.keeping = keeping
        self.left_view = left.origin.view()
        self.right_view = right.origin.view()
        computed = JoinedView(self.left_view, self.right_view, joiner, kind.keeps_left, kind.keeps_right)
        self.origin = JoinOrigin(left.origin, right.origin, computed if keeping is None else StoreView(keeping.name))

    def write(self, topology: Topology, merge: str, this: str, other: str) -> None:
        kind, joiner, send_old = self.kind, self.joiner, self.origin.sends_old
        left = TableJoinSide(joiner, self.right_view, kind.keeps_left, kind.keeps_right, self.left.versioned, send_old)
        right = TableJoinSide(
            lambda key, new, row: joiner(key, row, new),
            self.left_view,
            kind.keeps_right,
            kind.keeps_left,
            self.right.versioned,
            send_old,
        )
        topology.add_operator(this, left, [self.left.node.name], self.right_view.stores)
        topology.add_operator(other, right, [self.right.node.name], self.left_view.stores)
        stores = []
        if self.keeping is not None:
            topology.add_store(self.keeping.timestamped(topology.config))
            stores.append(self.keeping.name)
        operator = TableJoinMerge(stores[0] if stores else None, send_old)
        topology.add_operator(merge, operator, [this, other], stores)
