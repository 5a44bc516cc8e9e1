"""What the service says of itself: frozen values, taken when asked for and rendered by `app.web`.

Roles, clients and the broker each have a `statistics()` that gives their part; nobody counts for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["starting", "waiting", "running", "stopping", "ended"]


@dataclass(frozen=True, slots=True)
class ProducerStatistics:
    name: str
    state: State
    topic: str
    acknowledged: int
    """Numbers that the broker has confirmed."""
    backlog: int
    """Numbers that are due and not confirmed."""
    last: int | None
    """The last confirmed number."""
    failures: int
    """Sends that had to be repeated by us."""


@dataclass(frozen=True, slots=True)
class PartitionStatistics:
    topic: str
    partition: int
    position: int | None
    """Offset of the next record to print."""
    lag: int | None
    """Records behind the end, as of the last fetch."""


@dataclass(frozen=True, slots=True)
class ConsumerStatistics:
    name: str
    state: State
    topic: str
    group: str
    printed: int
    dead_letters: Mapping[str, int]
    """Reason → count."""
    commits: int
    rebalances: int
    partitions: tuple[PartitionStatistics, ...]
    """Those assigned to this member."""
    last: tuple[str, ...]
    """The last lines printed, oldest first; at most 20."""


@dataclass(frozen=True, slots=True)
class BrokerStatistics:
    address: str
    embedded: bool
    connected: bool
    log: str | None = None
    """Path of the private broker's log."""


@dataclass(frozen=True, slots=True)
class ServiceStatistics:
    version: str
    run_id: str
    uptime_s: float
    loop_lag_s: float
    """How late the event loop woke up, at worst, in the last seconds."""
    roles: tuple[str, ...]
    broker: BrokerStatistics
    producers: tuple[ProducerStatistics, ...] = ()
    consumers: tuple[ConsumerStatistics, ...] = ()
    not_live: tuple[str, ...] = field(default=())
    """Reasons why /livez is 503; empty: live."""
    not_ready: tuple[str, ...] = field(default=())
    """Reasons why /readyz is 503; empty: ready."""
