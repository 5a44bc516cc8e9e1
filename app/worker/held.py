"""A task that this process holds, in whatever phase."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.streams.model import TaskId, TopicPartition
from app.streams.task import Task


class TaskPhase(enum.Enum):
    """STANDBY: its stores follow the changelogs, nothing is processed."""

    RESTORING = "restoring"
    RUNNING = "running"
    STANDBY = "standby"


@dataclass(slots=True, eq=False)
class HeldTask:
    """sources: partitions it reads. changelogs: by store, the partition that store is restored from.

    `task` is replaced by a new one over the same committed rows when a transaction fails.
    """

    id: TaskId
    task: Task
    sources: tuple[TopicPartition, ...] = ()
    changelogs: Mapping[str, TopicPartition] = field(default_factory=dict)
    phase: TaskPhase = TaskPhase.RESTORING

    def unlogged(self) -> set[TopicPartition]:
        """Changelogs that the next commit will write to, as far as is known."""
        task = self.task
        return {
            changelog
            for store, changelog in self.changelogs.items()
            if task.stores[store].dirty and store not in task.topology.restored_from
        }
