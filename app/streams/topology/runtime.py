"""What a node is given when its task compiles it into a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeVar

from app.streams.config import StreamsConfig
from app.streams.context import Context
from app.streams.model import Forward, TaskId

S = TypeVar("S")


class Clock(Enum):
    """What moves a punctuator (H7, H8)."""

    STREAM_TIME = "stream time"
    WALL_CLOCK = "wall clock"


class Cancellable(Protocol):
    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class TaskParts:
    """What all nodes of one task share."""

    task_id: TaskId
    config: StreamsConfig
    ctx: Context
    # Open stores by name: the task's own, and the global ones in read-only form.
    stores: Mapping[str, Any]
    global_stores: Mapping[str, Any]
    # Longs that are committed with the offsets and come back after a restart, by key (D15).
    metadata: dict[str, int]
    # How many partitions a topic has; None if unknown.
    partitions: Callable[[str], int | None]
    # Given the node, the clock, a start or None, the interval in ms and the callback.
    schedule: Callable[[str, Clock, int | None, int, Callable[[int], None]], Cancellable]
    request_commit: Callable[[], None]
    on_close: Callable[[Callable[[], None]], None]
    # Times that operators want back after a restart, by name: how to read one, and what it is at first.
    remembered: dict[str, tuple[Callable[[], int], int]] = field(default_factory=dict)
    # What several nodes of a task know together besides stores, by name; lost with the task.
    shared: dict[str, Any] = field(default_factory=dict)


class Runtime:
    """One node's view of its task, while it is compiled and after."""

    __slots__ = ("children", "config", "connected", "ctx", "node", "parts")

    def __init__(self, parts: TaskParts, node: str, connected: frozenset[str], children: Mapping[str, Forward]) -> None:
        self.parts = parts
        self.ctx = parts.ctx
        self.config = parts.config
        self.node = node
        self.connected = connected
        # Each child's step by the child's name, in order; an operator's `forward` calls them all.
        self.children = children

    @property
    def metadata(self) -> dict[str, int]:
        """Saved with the offsets at commit (D15); keyed by store name."""
        return self.parts.metadata

    def remembered(self, name: str, read: Callable[[], int], first: int = -1) -> int:
        """A time that must outlive the task: committed with the offsets as `read` gives it then. Gives what was
        committed last, else `first`. Without it an aborted transaction would change which records are late."""
        if not self.config.remember_times:
            return first
        self.parts.remembered[name] = (read, first)
        return self.parts.metadata.get(name, first)

    def shared(self, name: str, make: Callable[[], S]) -> S:
        """The object several nodes of this task share under a name, made by the first that asks."""
        found: S = self.parts.shared.setdefault(name, make())
        return found

    def store(self, name: str) -> Any:
        """An open store this node is connected to; global stores are open to all, for reading (H12)."""
        if name in self.connected and name in self.parts.stores:
            return self.parts.stores[name]
        if name in self.parts.global_stores:
            return self.parts.global_stores[name]
        known = ", ".join(sorted(self.connected | set(self.parts.global_stores))) or "none"
        raise KeyError(f"node {self.node} is not connected to a store named {name!r}; connected: {known}")
