"""Where the answer for one partition of a store is to be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from app.streams.queries.refusals import QueryRefused


@dataclass(frozen=True, slots=True)
class Here:
    """standby: the rows follow their owner's, some time behind it."""

    partition: int
    standby: bool = False


@dataclass(frozen=True, slots=True)
class At:
    """Instances that can answer, the best one first."""

    partition: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    partition: int
    reason: QueryRefused


Place: TypeAlias = Here | At | Refused
