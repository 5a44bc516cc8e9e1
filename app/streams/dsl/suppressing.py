"""Holding back a table's updates (G1-G7; Java: Suppressed). A mixin of `Table`, and its options."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from app.streams.dsl.graph import GraphNode
from app.streams.dsl.options import Keeping, Materialized
from app.streams.dsl.origins import Origin
from app.streams.stores.specs import SuppressSpec
from app.streams.tables.suppress import Suppress, SuppressedView

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.dsl.table import Table
    from app.streams.serdes import Serde
    from app.streams.tables.views import View
    from app.streams.topology.topology import Topology

K = TypeVar("K")
V = TypeVar("V")


class WhenFull(Enum):
    """What a suppress does when its buffer is full (G6)."""

    EMIT_EARLY = "emit the oldest rows early"
    SHUT_DOWN = "stop the task"


@dataclass(frozen=True, slots=True)
class Buffer:
    """Limits of a suppress buffer; None: unbounded. `logging` False: what it holds is lost with the host.

    when_full None: final results cannot go early, so the task stops; updates held for a time go early, as in Java.
    """

    max_records: int | None = None
    max_bytes: int | None = None
    when_full: WhenFull | None = None
    logging: bool = True


@dataclass(frozen=True, slots=True)
class UntilWindowCloses:
    """Only the final result of each window (G2)."""

    buffer: Buffer = Buffer()


@dataclass(frozen=True, slots=True)
class UntilTimeLimit:
    """At most one update per key in `limit` ms of stream time (G1)."""

    limit: int
    buffer: Buffer = Buffer()

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise ValueError(f"updates cannot be held back for {self.limit} ms")


class TableSuppression(Generic[K, V]):
    """Methods `Table` has besides its own."""

    builder: Builder
    node: GraphNode
    origin: Origin
    sources: frozenset[str]
    key: Serde[K] | None
    value: Serde[V] | None
    versioned: bool

    def suppress(self, until: UntilWindowCloses | UntilTimeLimit, *, name: str | None = None) -> Table[K, V]:
        """Hold updates back; only records that arrive here let time go on (G7)."""
        names = self.builder.names
        # A given name burns no index here.
        node_name = names.given(name) if name is not None else names.node("KTABLE-SUPPRESS-")
        store = f"{name}-store" if name is not None else names.store("KTABLE-SUPPRESS-")
        if self.versioned:
            self.builder.faults.append(f"{node_name} cannot hold back a versioned table")
        self.origin.send_old_values(force=True)
        operator = self._operator(until, node_name, store)

        def write(topology: Topology, parents: tuple[str, ...]) -> None:
            config = topology.config
            key, value = self.key or config.default_key, self.value or config.default_value
            # A missing serde is a fault that add_store finds and names.
            spec = SuppressSpec(
                name=store, key=cast("Serde[K]", key), value=cast("Serde[V]", value), logging=until.buffer.logging
            )
            topology.add_store(spec)
            topology.add_operator(node_name, operator, parents, [store])

        node = self.builder.graph.add(GraphNode(node_name, write), self.node)
        keeping = Keeping(store, False, self.key, self.value, Materialized())
        return self.builder.new_table(node, SuppressedOrigin(self.origin, store), keeping, self.sources)

    def _operator(self, until: UntilWindowCloses | UntilTimeLimit, node: str, store: str) -> Suppress:
        buffer, final = until.buffer, isinstance(until, UntilWindowCloses)
        when_full = buffer.when_full or (WhenFull.SHUT_DOWN if final else WhenFull.EMIT_EARLY)
        limits = buffer.max_records, buffer.max_bytes, when_full is WhenFull.EMIT_EARLY
        if isinstance(until, UntilTimeLimit):
            return Suppress(store, until.limit, False, *limits)
        if when_full is WhenFull.EMIT_EARLY and (buffer.max_records, buffer.max_bytes) != (None, None):
            self.builder.faults.append(f"{node} is to give final results, so its buffer cannot emit early")
        wait = closes_after(self.node)
        if wait is None:
            self.builder.faults.append(f"{node} waits for windows to close, but nothing above it is windowed")
        return Suppress(store, wait or 0, True, *limits)


class SuppressedOrigin:
    """A suppressed table: never in a store of its own, read through its buffer and its parent."""

    def __init__(self, parent: Origin, store: str) -> None:
        self._parent = parent
        self._store = store

    def send_old_values(self, *, force: bool) -> bool:
        return self._parent.send_old_values(force=force)

    def view(self) -> View:
        return SuppressedView(self._store, self._parent.view())


def closes_after(node: GraphNode) -> int | None:
    """How long the windows above stay open past their end (G2); of several branches the longest. None: no windows."""
    if node.closes_after is not None:
        return node.closes_after
    found = [closes_after(parent) for parent in node.parents]
    return max((wait for wait in found if wait is not None), default=None)
