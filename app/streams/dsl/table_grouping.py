"""Grouping a table by another key. A mixin of `Table`."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TableGroups(Generic[K, V]):
    """Methods `Table` has besides its own."""
