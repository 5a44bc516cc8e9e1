"""The nodes of a topology as data. A task compiles them, leaf to root, into steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from app.streams.config import Extractor
from app.streams.model import Forward, RecordMetadata
from app.streams.topology.runtime import Runtime

if TYPE_CHECKING:
    from app.streams.serdes import Serde


class Reset(Enum):
    """Where to begin when no offset is committed (B2)."""

    EARLIEST = "earliest"
    LATEST = "latest"
    NONE = "none"


class Operator(Protocol):
    """A processor node's doing, as frozen data: options in, a step out."""

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        """The step of this node; `forward` hands a key and a value to all children."""
        ...


# (topic, key, value, number of partitions) -> partitions to write to; None: the default partitioner decides (B12).
Partitioner: TypeAlias = Callable[[str, Any, Any, int], Collection[int] | None]


class TopicNamer(Protocol):
    """Names the topic of each record (B11)."""

    def __call__(self, key: Any, value: Any, origin: RecordMetadata) -> str: ...


@dataclass(frozen=True, slots=True)
class SourceNode:
    """Reads topics (one node for several, B1) or all topics that match a pattern."""

    name: str
    topics: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    key: Serde[Any] | None = None
    value: Serde[Any] | None = None
    extractor: Extractor | None = None
    reset: Reset | int | None = None  # int: by duration, in ms before now
    internal: bool = False  # of a repartition topic: always its records' own timestamps (A3)


@dataclass(frozen=True, slots=True)
class ProcessorNode:
    name: str
    parents: tuple[str, ...]
    operator: Operator


@dataclass(frozen=True, slots=True)
class SinkNode:
    """Writes to a topic, or to the topic that a function names for each record."""

    name: str
    parents: tuple[str, ...]
    topic: str | TopicNamer
    key: Serde[Any] | None = None
    value: Serde[Any] | None = None
    partitioner: Partitioner | None = None
    internal: bool = False


Node: TypeAlias = SourceNode | ProcessorNode | SinkNode
