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
class StreamsStoreStatistics:
    """One store of one task."""

    name: str
    kind: str
    """As the store says it: `key-value`, `timestamped-key-value`, `window`, `session`, `versioned`, …"""
    rows: int
    """Committed rows, possibly an estimate."""
    dirty: int = 0
    """Rows written and not committed yet."""
    position: int | None = None
    """Changelog offset that the committed rows stand for."""
    lag: int | None = None
    """Changelog records missing: of a store that is restored or a standby. None: not known, or not logged."""


TaskPhaseName = Literal["restoring", "running", "standby"]


@dataclass(frozen=True, slots=True)
class StreamsTaskStatistics:
    """One task of this process, active or standby."""

    task: str
    """`<sub-topology>_<partition>`."""
    phase: TaskPhaseName
    processed: int = 0
    """Records taken, since the task came here."""
    dropped: int = 0
    """Records left out: late, without a key, without a time."""
    buffered: int = 0
    """Records fetched and not taken yet."""
    lag: int | None = None
    """Records behind the end of its source partitions, as of the last fetch. None: not known yet."""
    stream_time_ms: int = -1
    """The highest event time seen. -1: none yet."""
    sources: tuple[str, ...] = ()
    """The partitions it reads: `topic-partition`."""
    stores: tuple[StreamsStoreStatistics, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitStatistics:
    """Commits of this process. A latency is the time from the seal to the last task's applied state, in ms."""

    count: int = 0
    failed: int = 0
    """Transactions that failed or whose outcome was unknown; what they held was done again."""
    last_ms: float | None = None
    max_ms: float = 0.0
    """The longest since the start."""
    sum_ms: float = 0.0
    """Of all `count`."""
    within_ms: tuple[tuple[float, int], ...] = ()
    """A histogram's buckets: (upper bound in ms, commits that took no longer), bounds ascending, counts cumulative."""


@dataclass(frozen=True, slots=True)
class RestoreStatistics:
    """Reading changelogs: of tasks on their way to running, and of standbys."""

    rows: int = 0
    """Rows restored since the start."""
    remaining: int = 0
    """Changelog records that restoring tasks still miss."""
    rows_per_s: float = 0.0
    standby_rows: int = 0
    """Rows that standbys took over."""
    standby_lag: int = 0
    """Changelog records that standbys miss."""


StreamsState = Literal["CREATED", "REBALANCING", "RUNNING", "PENDING_SHUTDOWN", "NOT_RUNNING", "ERROR"]
"""Kafka Streams' own."""


@dataclass(frozen=True, slots=True)
class StreamsStatistics:
    """The stream engine of this process. Counters count from its start."""

    application_id: str
    state: StreamsState
    instance: str = ""
    """The uuid kept in the state directory: what the transactional id is made of."""
    guarantee: Literal["exactly_once_v2", "at_least_once"] = "exactly_once_v2"
    generation: int = -1
    """Of the consumer group. -1: not a member."""
    epoch: int = 0
    """Counts what ends an assignment: a rebalance, a lost generation."""
    paused: bool = False
    tasks: tuple[StreamsTaskStatistics, ...] = ()
    processed: int = 0
    """Records taken, over all tasks that were ever here."""
    produced: int = 0
    """Rows written: outputs and changelog."""
    dropped: int = 0
    records_per_s: float = 0.0
    """Records taken, over the last seconds."""
    punctuations: int = 0
    dead_letters: int = 0
    """Records handed to the dead letter topic."""
    commits: CommitStatistics = field(default_factory=CommitStatistics)
    restore: RestoreStatistics = field(default_factory=RestoreStatistics)
    rebalances: int = 0
    """Assignments received from the group."""
    producers: int = 0
    """Producers opened: one, and one more after each failed transaction."""
    waiting_bytes: int = 0
    """Rows written and not handed to a producer yet, in bytes."""
    peers: tuple[str, ...] = ()
    """Addresses of the other members, where they say one."""
    last_error: str | None = None
    """What ended the last transaction that failed."""
    topology: str = ""
    """As Java's `describe()` prints it."""


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
    streams: StreamsStatistics | None = None
    """None: the role is not played here."""
    not_live: tuple[str, ...] = field(default=())
    """Reasons why /livez is 503; empty: live."""
    not_ready: tuple[str, ...] = field(default=())
    """Reasons why /readyz is 503; empty: ready."""
