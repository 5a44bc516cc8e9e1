"""How far a store is, and how far it has to be (M7, Java: Position, PositionBound).

A position is an offset that is *included*, by `topic-partition`: of the store's changelog, which a standby knows too,
or of a source topic, which only the task that reads it knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from app.streams.model import TopicPartition
from app.streams.queries.refusals import InvalidQuestion, NotUpToBound

Positions: TypeAlias = Mapping[TopicPartition, int]

_ENTRY = re.compile(r"(?P<topic>[A-Za-z0-9._-]+)-(?P<partition>\d{1,9}):(?P<offset>-?\d{1,18})")


def read_bound(text: str) -> dict[TopicPartition, int]:
    """`topic-partition:offset`, several with commas; of two for one partition the higher counts. Raises
    InvalidQuestion."""
    found: dict[TopicPartition, int] = {}
    for entry in text.split(","):
        match = _ENTRY.fullmatch(entry.strip())
        if match is None:
            raise InvalidQuestion(f"{entry!r} is no bound", "write topic-partition:offset, several with commas")
        where, offset = TopicPartition(match["topic"], int(match["partition"])), int(match["offset"])
        found[where] = max(offset, found.get(where, offset))
    return found


def shown(positions: Positions) -> dict[str, int]:
    """As `read_bound` reads them, by entry."""
    return {f"{topic}-{partition}": offset for (topic, partition), offset in positions.items()}


def check(bound: Positions, partition: int, known: Positions) -> None:
    """Raises NotUpToBound. Entries of other partitions say nothing of this one."""
    for where, wanted in bound.items():
        if where.partition != partition:
            continue
        present = known.get(where)
        if present is None:
            raise NotUpToBound(f"how far it is in {where.topic}-{partition} is not known here")
        if present < wanted:
            raise NotUpToBound(f"it is at {where.topic}-{partition}:{present}, asked for was {wanted}")
