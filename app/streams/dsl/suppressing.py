"""Holding back a table's updates (G1-G7). A mixin of `Table`, and its options."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class WhenFull(Enum):
    """What a suppress does when its buffer is full (G6)."""

    EMIT_EARLY = "emit the oldest rows early"
    SHUT_DOWN = "stop the task"


@dataclass(frozen=True, slots=True)
class Buffer:
    """Limits of a suppress buffer; None: unbounded. `logging` False: what it holds is lost with the host."""

    max_records: int | None = None
    max_bytes: int | None = None
    when_full: WhenFull = WhenFull.SHUT_DOWN
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


class TableSuppression(Generic[K, V]):
    """Methods `Table` has besides its own."""
