"""How tables come about: what the build must know of each before it compiles (E6, E8).

A later call may ask a table for its old values, or read it by key; both can force it into a store. So origins are
changed by the calls of the DSL and read when the graph is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.streams.dsl.options import Keeping
from app.streams.tables.source import TableSourceOperator
from app.streams.tables.views import StoreView, View
from app.streams.topology.topology import Topology


class Origin(Protocol):
    """What the node that makes a table can do for those below it."""

    def send_old_values(self, *, force: bool) -> bool:
        """Ask for old values in the changes; `force` materializes what cannot know them otherwise. Whether it will."""
        ...

    def view(self) -> View:
        """How to read the table by key; materializes a source."""
        ...


class StoredOrigin:
    """A table that is in a store anyway: aggregates and materialized results."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.sends_old = False

    def send_old_values(self, *, force: bool) -> bool:
        self.sends_old = True
        return True

    def view(self) -> View:
        return self._view


class SourceOrigin:
    """A table read from a topic or made from a stream: in a store only if asked for (KTableSource)."""

    def __init__(self, store: str, *, materialized: bool) -> None:
        self.store = store
        self.materialized = materialized
        self.sends_old = False

    def send_old_values(self, *, force: bool) -> bool:
        if not self.materialized and not force:
            return False
        self.sends_old = self.materialized = True
        return True

    def view(self) -> View:
        self.materialized = True
        return StoreView(self.store)

    def operator(self) -> TableSourceOperator:
        return TableSourceOperator(self.store if self.materialized else None, self.sends_old)

    def write(self, topology: Topology, name: str, parents: tuple[str, ...], keeping: Keeping) -> None:
        """Add the table's node, and its store if it has one."""
        if self.materialized:
            topology.add_store(keeping.timestamped(topology.config))
            topology.add_operator(name, self.operator(), parents, [self.store])
        else:
            topology.add_operator(name, self.operator(), parents)


class DerivedOrigin:
    """A table computed row by row from another (filter, mapValues, transformValues): in a store only if named."""

    def __init__(self, parent: Origin, store: str | None, computed: Callable[[View], View]) -> None:
        self.parent = parent
        self.store = store
        self._computed = computed
        self.sends_old = False

    def send_old_values(self, *, force: bool) -> bool:
        if self.store is not None or self.parent.send_old_values(force=force):
            self.sends_old = True
        return self.sends_old

    def view(self) -> View:
        return StoreView(self.store) if self.store is not None else self._computed(self.parent.view())
