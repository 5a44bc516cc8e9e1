"""Joins of streams: with streams, tables and global tables. A mixin of `Stream`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from app.streams.dsl.global_table import GlobalTable
from app.streams.dsl.graph import new_repartition
from app.streams.dsl.lookup_join import join_global_table, join_table
from app.streams.dsl.options import Joined, StreamJoined, WithKey
from app.streams.dsl.windowed_join import JoinKind, join_stream

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.dsl.graph import GraphNode, Repartition
    from app.streams.dsl.stream import Stream
    from app.streams.dsl.table import Table
    from app.streams.serdes import Serde
    from app.streams.windows.definitions import JoinWindows

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
R = TypeVar("R")


class StreamJoins(Generic[K, V]):
    """Methods `Stream` has besides its own. A joiner takes both values, or with `WithKey` the key before them."""

    builder: Builder
    node: GraphNode
    sources: frozenset[str]
    key: Serde[K] | None
    value: Serde[V] | None
    rekeyed: bool
    # What an earlier join put below this stream; the next one takes it again unless it is named itself.
    _repartition: Repartition | None = None

    @overload
    def join(
        self,
        other: Stream[K, V2],
        joiner: Callable[[V, V2], R] | WithKey[K, V, V2, R],
        windows: JoinWindows,
        joined: StreamJoined[K, V, V2] = ...,
    ) -> Stream[K, R]: ...
    @overload
    def join(
        self,
        other: Table[K, V2],
        joiner: Callable[[V, V2], R] | WithKey[K, V, V2, R],
        joined: Joined[K, V, V2] = ...,
    ) -> Stream[K, R]: ...
    @overload
    def join(
        self,
        other: GlobalTable[K2, V2],
        joiner: Callable[[V, V2], R] | WithKey[K, V, V2, R],
        *,
        selector: Callable[[K, V], K2 | None],
        name: str | None = None,
    ) -> Stream[K, R]: ...
    def join(self, other: Any, joiner: Any, *options: Any, **more: Any) -> Stream[K, Any]:
        """Results for records that have a partner (F1): in a stream within the windows, or a row of the table.

        With a stream: windows, then StreamJoined. With a table: Joined. With a global table: `selector` names the row.
        """
        return self._join(JoinKind.INNER, other, joiner, options, more)

    @overload
    def left_join(
        self,
        other: Stream[K, V2],
        joiner: Callable[[V, V2 | None], R] | WithKey[K, V, V2 | None, R],
        windows: JoinWindows,
        joined: StreamJoined[K, V, V2] = ...,
    ) -> Stream[K, R]: ...
    @overload
    def left_join(
        self,
        other: Table[K, V2],
        joiner: Callable[[V, V2 | None], R] | WithKey[K, V, V2 | None, R],
        joined: Joined[K, V, V2] = ...,
    ) -> Stream[K, R]: ...
    @overload
    def left_join(
        self,
        other: GlobalTable[K2, V2],
        joiner: Callable[[V, V2 | None], R] | WithKey[K, V, V2 | None, R],
        *,
        selector: Callable[[K, V], K2 | None],
        name: str | None = None,
    ) -> Stream[K, R]: ...
    def left_join(self, other: Any, joiner: Any, *options: Any, **more: Any) -> Stream[K, Any]:
        """As `join`, and results with None on the right for records of this stream that found nothing (F3, F6)."""
        return self._join(JoinKind.LEFT, other, joiner, options, more)

    def outer_join(
        self,
        other: Stream[K, V2],
        joiner: Callable[[V | None, V2 | None], R] | WithKey[K, V | None, V2 | None, R],
        windows: JoinWindows,
        joined: StreamJoined[K, V, V2] | None = None,
    ) -> Stream[K, R]:
        """As `left_join`, for the records of either stream (F3)."""
        return join_stream(JoinKind.OUTER, self, other, joiner, windows, joined)

    # for the builders of joins

    def in_place(self, name: str | None, key: Serde[Any] | None, value: Serde[Any] | None) -> StreamJoins[Any, Any]:
        """This stream with its keys where they belong: behind a topic if a step above changed them (B4).

        name: of the topic, else it has the name of the node above. Given serdes are taken before those inherited.
        """
        if not self.rekeyed:
            return self
        key, value = key or self.key, value or self.value
        # The three indices are burnt, used or not.
        made = new_repartition(self.builder.names, name or self.node.name, key, value)
        if self._repartition is None or name is not None:
            self._repartition = made
            self.builder.graph.add(made, self.node)
        node = self._repartition
        return self.builder.new_stream(node, frozenset([node.name]), key, value)

    def _join(
        self, kind: JoinKind, other: Any, joiner: Any, options: tuple[Any, ...], more: dict[str, Any]
    ) -> Stream[K, Any]:
        if isinstance(other, GlobalTable):
            return join_global_table(self, other, joiner, **more, outer=kind is JoinKind.LEFT)
        if isinstance(other, StreamJoins):
            return join_stream(kind, self, other, joiner, *options, **more)
        return join_table(self, other, joiner, *options, **more, outer=kind is JoinKind.LEFT)
