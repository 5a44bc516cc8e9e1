"""Joins of tables, by key and by foreign key. A mixin of `Table`."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TableJoins(Generic[K, V]):
    """Methods `Table` has besides its own."""
