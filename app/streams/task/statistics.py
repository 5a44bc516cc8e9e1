"""What a task tells about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.streams.model import TaskId, TopicPartition
from app.streams.stores.store import StoreStatistics


@dataclass(frozen=True, slots=True)
class TaskStatistics:
    """A snapshot. Times in ms; buffered and lag per source partition (lag None: not known yet)."""

    task: TaskId
    processed: int
    dropped: int
    stream_time: int
    buffered: Mapping[TopicPartition, int]
    lag: Mapping[TopicPartition, int | None]
    stores: tuple[StoreStatistics, ...] = field(default=())
