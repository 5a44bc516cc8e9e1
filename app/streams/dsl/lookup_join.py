"""Building joins of a stream with a table or a global table (F9-F12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.streams.dsl.graph import GraphNode
from app.streams.dsl.options import Joined, joiner_of, serde_or_default
from app.streams.joins.stream_table import LookupJoin
from app.streams.stores.specs import GraceSpec, VersionedSpec
from app.streams.topology.topology import Topology

if TYPE_CHECKING:
    from app.streams.dsl.global_table import GlobalTable
    from app.streams.dsl.joining import StreamJoins
    from app.streams.dsl.stream import Stream
    from app.streams.dsl.table_joining import TableJoins


def join_table(
    stream: StreamJoins[Any, Any],
    table: TableJoins[Any, Any],
    joiner: Any,
    joined: Joined[Any, Any, Any] | None = None,
    *,
    outer: bool,
) -> Stream[Any, Any]:
    """Names: [three of a repartition], the join (reference 2.1)."""
    joined = joined if joined is not None else Joined()
    builder = stream.builder
    left = stream.in_place(joined.name, joined.key, joined.value)
    builder.graph.copartition(left.sources, table.sources)
    name = builder.names.node("KSTREAM-LEFTJOIN-" if outer else "KSTREAM-JOIN-", joined.name)
    key = joined.key or left.key
    value = joined.value or left.value
    view = table.origin.view()
    buffer = None if joined.grace is None else f"{name}-Buffer"
    if buffer is not None and joined.name is None:
        builder.names.implicit.append(buffer)
    operator = LookupJoin(view, joiner_of(joiner), outer, buffer=buffer)

    def write(topology: Topology, parents: tuple[str, ...]) -> None:
        stores = list(view.stores)
        if buffer is not None and joined.grace is not None:
            _check_history(topology, name, view.stores, joined.grace)
            topology.add_store(
                GraceSpec(
                    name=buffer,
                    key=serde_or_default(key, topology.config.default_key),
                    value=serde_or_default(value, topology.config.default_value),
                    grace=joined.grace,
                )
            )
            stores.append(buffer)
        topology.add_operator(name, operator, parents, stores)

    node = builder.graph.add(GraphNode(name, write, relaxes_null_keys=outer), left.node)
    return builder.new_stream(node, left.sources | table.sources, key)


def join_global_table(
    stream: StreamJoins[Any, Any],
    table: GlobalTable[Any, Any],
    joiner: Any,
    selector: Callable[[Any, Any], Any],
    name: str | None = None,
    *,
    outer: bool,
) -> Stream[Any, Any]:
    """No repartition: every instance holds the whole table. Inner joins are named LEFTJOIN as well, by Java."""
    builder = stream.builder
    node_name = builder.names.node("KSTREAM-LEFTJOIN-", name)
    operator = LookupJoin(table.view(), joiner_of(joiner), outer, selector=selector)

    def write(topology: Topology, parents: tuple[str, ...]) -> None:
        topology.add_operator(node_name, operator, parents)

    node = builder.graph.add(GraphNode(node_name, write, relaxes_null_keys=outer), stream.node)
    return builder.new_stream(node, stream.sources, stream.key, rekeyed=stream.rekeyed)


def _check_history(topology: Topology, name: str, stores: tuple[str, ...], grace: int) -> None:
    """A record that waits must still find the row that was valid at its time (F11)."""
    for store in stores:
        spec = topology.stores.get(store)
        if not isinstance(spec, VersionedSpec):
            topology.fault(f"join {name} has a grace, so its table must be kept in a versioned store; {store} is none")
        elif grace > spec.history:
            topology.fault(f"join {name} has a grace of {grace} ms, but {store} has a history of {spec.history} ms")
