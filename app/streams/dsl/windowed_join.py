"""Building windowed joins of two streams (F1-F8; Java: KStreamImplJoin)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from app.streams.dsl.graph import Graph, GraphNode
from app.streams.dsl.options import StreamJoined, joiner_of, known_serde, serde_or_default
from app.streams.joins.self_join import SelfJoin
from app.streams.joins.stream_stream import JoinSide, KeepForJoin
from app.streams.operators.stateless import PassThrough
from app.streams.stores.specs import LoggedHeaders, OuterJoinSpec, StoreSpec, WindowSpec
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import JoinWindows

if TYPE_CHECKING:
    from app.streams.config import StreamsConfig
    from app.streams.dsl.joining import StreamJoins
    from app.streams.dsl.stream import Stream
    from app.streams.topology.names import Names


class JoinKind(Enum):
    """Which side's records make results without a partner."""

    INNER = "neither"
    LEFT = "left"
    OUTER = "both"

    @property
    def keeps_left(self) -> bool:
        return self is not JoinKind.INNER

    @property
    def keeps_right(self) -> bool:
        return self is JoinKind.OUTER


@dataclass(frozen=True, slots=True)
class JoinNames:
    """Of the nodes and stores of one join (reference 2.1). `waiting`: the list store, only for left and outer joins."""

    left_window: str
    right_window: str
    left: str
    right: str
    merge: str
    left_store: str
    right_store: str
    waiting: str | None


@dataclass(eq=False, slots=True)
class StreamJoinNode(GraphNode):
    """The two joining nodes and their merge; the nodes that keep the records are graph nodes of their own."""

    windows: tuple[GraphNode, ...] = ()
    # Writes the join of a stream with itself over one store (F7).
    write_single: Callable[[Topology], None] = field(default=lambda _topology: None)

    def use_single_store(self) -> None:
        """If both sides are the same stream: the left window's node stays, the right one's goes."""
        if len(self.parents) == 1:
            (parent,) = self.parents
            parent.release(self.windows[1])
            write = self.write_single
            self.write = lambda topology, _parents: write(topology)


def rewrite_self_joins(graph: Graph) -> None:
    """The optimization single.store.self.join (J6)."""
    for node in graph.nodes:
        if isinstance(node, StreamJoinNode):
            node.use_single_store()


def join_stream(
    kind: JoinKind,
    stream: StreamJoins[Any, Any],
    other: StreamJoins[Any, Any],
    joiner: Any,
    windows: JoinWindows,
    joined: StreamJoined[Any, Any, Any] | None = None,
) -> Stream[Any, Any]:
    """Names: [three for each repartition], two windows, two joins, the merge (reference 2.1)."""
    joined = joined if joined is not None else StreamJoined()
    builder, name = stream.builder, joined.name
    left = stream.in_place(f"{name}-left" if name is not None else None, joined.key, joined.value)
    right = other.in_place(f"{name}-right" if name is not None else None, joined.key, joined.other_value)
    config = builder.config
    joined = replace(
        joined,
        key=known_serde(joined.key, config.default_key, left.key or right.key),
        value=known_serde(joined.value, config.default_value, left.value),
        other_value=known_serde(joined.other_value, config.default_value, right.value),
    )
    builder.graph.copartition(left.sources, right.sources)
    names = _names(builder.names, kind, joined)
    merge = _merge_node(kind, names, joined, windows, joiner_of(joiner))
    sides = ((left, names.left_window, names.left_store), (right, names.right_window, names.right_store))
    merge.windows = tuple(
        builder.graph.add(_window_node(node_name, store, joined, windows, is_left=side == 0), parent.node)
        for side, (parent, node_name, store) in enumerate(sides)
    )
    builder.graph.add(merge, left.node, right.node)
    return builder.new_stream(merge, left.sources | right.sources, joined.key)


def _names(names: Names, kind: JoinKind, joined: StreamJoined[Any, Any, Any]) -> JoinNames:
    this = "-outer-this-join" if kind.keeps_right else "-this-join"
    other = "-outer-other-join" if kind.keeps_left else "-other-join"
    left_window = names.node("KSTREAM-WINDOWED-", _suffixed(joined.name, "-this-windowed"))
    right_window = names.node("KSTREAM-WINDOWED-", _suffixed(joined.name, "-other-windowed"))
    number = names.take()
    left = ("KSTREAM-OUTERTHIS-" if kind.keeps_right else "KSTREAM-JOINTHIS-") + number
    right = names.node("KSTREAM-OUTEROTHER-" if kind.keeps_left else "KSTREAM-JOINOTHER-")
    shared = _suffixed(joined.store_name, "-outer-shared-join" if kind.keeps_right else "-left-shared-join")
    # Naming the join does not name its stores.
    left_store = (_suffixed(joined.store_name, this) or left) + "-store"
    right_store = (_suffixed(joined.store_name, other) or right) + "-store"
    waiting = (shared or f"KSTREAM-OUTERSHARED-{number}") + "-store" if kind.keeps_left else None
    if joined.store_name is None:
        names.implicit += [store for store in (left_store, right_store, waiting) if store is not None]
    return JoinNames(
        left_window,
        right_window,
        _suffixed(joined.name, this) or left,
        _suffixed(joined.name, other) or right,
        names.node("KSTREAM-MERGE-", _suffixed(joined.name, "-merge")),
        left_store,
        right_store,
        waiting,
    )


def _suffixed(name: str | None, suffix: str) -> str | None:
    return None if name is None else name + suffix


def _window_node(
    name: str, store: str, joined: StreamJoined[Any, Any, Any], windows: JoinWindows, *, is_left: bool
) -> GraphNode:
    """A node that keeps the records of one side for the other side to find."""
    operator = KeepForJoin(store)

    def write(topology: Topology, parents: tuple[str, ...]) -> None:
        topology.add_store(_window_spec(store, joined, windows, topology.config, is_left=is_left))
        topology.add_operator(name, operator, parents, [store])

    return GraphNode(name, write)


def _merge_node(
    kind: JoinKind,
    names: JoinNames,
    joined: StreamJoined[Any, Any, Any],
    windows: JoinWindows,
    joiner: Callable[[Any, Any, Any], Any],
) -> StreamJoinNode:
    left = JoinSide(names.merge, joiner, windows, names.right_store, names.waiting, True, kind.keeps_left)
    right = JoinSide(names.merge, joiner, windows, names.left_store, names.waiting, False, kind.keeps_right)

    def write(topology: Topology, _parents: tuple[str, ...]) -> None:
        waiting = []
        if names.waiting is not None:
            topology.add_store(_waiting_spec(names.waiting, joined, topology.config))
            waiting.append(names.waiting)
        topology.add_operator(names.left, left, [names.left_window], [names.right_store, *waiting])
        topology.add_operator(names.right, right, [names.right_window], [names.left_store, *waiting])
        topology.add_operator(names.merge, PassThrough(), [names.left, names.right])

    def write_single(topology: Topology) -> None:
        operator = SelfJoin(names.left_store, joiner, windows)
        topology.add_operator(names.merge, operator, [names.left_window], [names.left_store])

    relaxes = kind is not JoinKind.INNER
    return StreamJoinNode(names.merge, write, relaxes_null_keys=relaxes, write_single=write_single)


def _window_spec(
    name: str, joined: StreamJoined[Any, Any, Any], windows: JoinWindows, config: StreamsConfig, *, is_left: bool
) -> StoreSpec:
    size = windows.before + windows.after
    value = joined.value if is_left else joined.other_value
    persistent = config.persistent_stores if joined.persistent is None else joined.persistent
    return WindowSpec(
        name=name,
        key=serde_or_default(joined.key, config.default_key),
        value=serde_or_default(value, config.default_value),
        persistent=persistent,
        logging=joined.logging,
        retention=size + windows.grace,
        size=size,
        retain_duplicates=True,
        # As Java shows them.
        timestamped=config.headers_in_stores,
        log_headers=LoggedHeaders.ALL,
    )


def _waiting_spec(name: str, joined: StreamJoined[Any, Any, Any], config: StreamsConfig) -> StoreSpec:
    return OuterJoinSpec(
        name=name,
        key=serde_or_default(joined.key, config.default_key),
        value=serde_or_default(joined.value, config.default_value),
        right_value=serde_or_default(joined.other_value, config.default_value),
        persistent=config.persistent_stores if joined.persistent is None else joined.persistent,
        logging=joined.logging,
    )
