"""What every operator and store of one task shares: the record being processed, and the way out."""

from __future__ import annotations

from collections.abc import Callable

from app.streams.model import Headers, Outbound, TaskId


class Context:
    """One per task. The fields of the record change with each record; an operator that forwards with another
    timestamp or other headers sets the field, forwards, and puts the old one back.

    emit never changes during the life of a task, so steps may keep it.
    """

    __slots__ = (
        "application_id",
        "dead_letters",
        "dropped_records",
        "emit",
        "headers",
        "now",
        "offset",
        "outputs",
        "partition",
        "punctuations",
        "raw_key",
        "raw_value",
        "stream_time",
        "task_id",
        "timestamp",
        "topic",
    )

    def __init__(self, application_id: str, task_id: TaskId) -> None:
        self.application_id = application_id
        self.task_id = task_id
        self.timestamp = -1
        self.headers: Headers = ()
        self.topic: str | None = None
        self.partition = -1
        self.offset = -1
        self.raw_key: bytes | None = None
        self.raw_value: bytes | None = None
        self.stream_time = -1
        self.now = 0
        self.dropped_records = 0
        self.dead_letters = 0
        self.punctuations = 0
        self.outputs: list[Outbound] = []
        self.emit: Callable[[Outbound], None] = self.outputs.append

    def dropped(self, count: int = 1) -> None:
        """Count records that end here without a result (N9)."""
        self.dropped_records += count
