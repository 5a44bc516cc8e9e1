"""Joins of streams: with streams, tables and global tables. A mixin of `Stream`."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class StreamJoins(Generic[K, V]):
    """Methods `Stream` has besides its own."""
