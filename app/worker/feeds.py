"""What is being restored, as values: per task its changelog partitions, where each stands and where it has to come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.streams.model import Inbound, TopicPartition
from app.streams.stores.store import Restored
from app.streams.task import Task
from app.worker.held import HeldTask


@dataclass(slots=True, eq=False)
class Log:
    """One changelog partition. position: up to which the stores hold it, None: nothing. target: done there. limit:
    no record from there on may be applied (a source topic, as far as it was processed). end: of the log, when last
    heard of."""

    partition: TopicPartition
    stores: tuple[str, ...]
    position: int | None
    target: int | None = None
    limit: int | None = None
    end: int | None = None

    @property
    def done(self) -> bool:
        return self.target is not None and self.target <= (self.position or 0)

    @property
    def at_limit(self) -> bool:
        return self.limit is not None and self.limit <= (self.position or 0)

    @property
    def beyond(self) -> bool:
        """It holds what the changelog has not, or has no more: whatever else is in it cannot be believed."""
        return self.limit is None and self.target is not None and (self.position or 0) > self.target

    @property
    def lag(self) -> int | None:
        """Offsets: markers and compacted records count as if they were there."""
        goal = self.target if self.target is not None else self.end
        if goal is None:
            return None
        return max(0, (goal if self.limit is None else min(goal, self.limit)) - (self.position or 0))


@dataclass(slots=True, eq=False)
class Feed:
    """The logs of one task. done: of an active task that waits to be started; None: a standby. pace: rows that fill a
    slice. since, moved: when it began, and when it last got anything. gathered: rows that are not committed yet,
    together: how many should be."""

    held: HeldTask
    task: Task
    logs: dict[TopicPartition, Log]
    done: asyncio.Future[None] | None
    since: float
    rows: int = 0
    pace: int = 256
    gathered: int = 0
    together: int = 4_096
    moved: float = field(default=0.0)

    @property
    def active(self) -> bool:
        return self.done is not None

    @property
    def lag(self) -> int | None:
        lags = [log.lag for log in self.logs.values()]
        return None if None in lags else sum(lag for lag in lags if lag is not None)

    def rate(self, now: float) -> float:
        """Rows a second since it began."""
        return self.rows / (now - self.since) if now > self.since else 0.0


def logs_of(held: HeldTask, targets: Mapping[TopicPartition, int]) -> dict[TopicPartition, Log]:
    """Where its stores stand. A source topic is restored as far as it was processed, and not one record further:
    what lies behind is still to come as input (J7, H14)."""
    topology = held.task.topology
    stores: dict[TopicPartition, list[str]] = {}
    for store, partition in held.changelogs.items():
        stores.setdefault(partition, []).append(store)
    logs = {}
    for partition, names in stores.items():
        target = targets.get(partition)
        is_source = any(name in topology.restored_from for name in names)
        positions = [held.task.stores[name].statistics().position for name in names]
        # Of stores that share a log, the one that is behind says where to begin: rows that come again change nothing.
        position = None if None in positions else min(positions)
        logs[partition] = Log(partition, tuple(names), position, target, target if is_source else None)
    return logs


def restorable(rows: list[Inbound]) -> list[Restored]:
    return [(key, value, timestamp, headers) for _, timestamp, key, value, headers in rows]
