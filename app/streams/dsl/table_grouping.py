"""Grouping a table by another key. A mixin of `Table`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from app.streams.dsl.graph import GraphNode
from app.streams.dsl.grouped_table import GroupedTable
from app.streams.dsl.origins import Origin
from app.streams.tables.regrouping import Regroup

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.serdes import Serde
    from app.streams.topology.topology import Topology

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")


class TableGroups(Generic[K, V]):
    """Methods `Table` has besides its own."""

    builder: Builder
    node: GraphNode
    origin: Origin
    versioned: bool

    def group_by(
        self,
        mapper: Callable[[K, V], tuple[K2, V2] | None],
        *,
        name: str | None = None,
        key: Serde[K2] | None = None,
        value: Serde[V2] | None = None,
    ) -> GroupedTable[K2, V2]:
        """Rows under another key and with another value, always through a topic (C4); no serde is inherited."""
        node_name = self.builder.names.node("KTABLE-SELECT-", name)

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            topology.add_operator(node_name, Regroup(mapper, self.versioned), parents)

        node = self.builder.graph.add(GraphNode(node_name, write), self.node)
        self.origin.send_old_values(force=True)
        return GroupedTable(self.builder, node, key, value, name)
