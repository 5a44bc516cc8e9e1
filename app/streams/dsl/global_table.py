"""Tables that every instance holds in full (E9): the right side of a stream-global join, and readable by processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from app.streams.tables.views import StoreView

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder

K = TypeVar("K")
V = TypeVar("V")


class GlobalTable(Generic[K, V]):
    """Has no methods to derive from it: it is joined with, or read from, by the name of its store."""

    def __init__(self, builder: Builder, store: str) -> None:
        self.builder = builder
        self.store = store

    def view(self) -> StoreView:
        return StoreView(self.store)
