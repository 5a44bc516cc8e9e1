"""The settings of one application's topology, by their meaning; the Kafka Streams name is in each comment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from app.streams.errors import InvalidTimestamp
from app.streams.model import Headers, Row

if TYPE_CHECKING:
    from app.streams.serdes import Serde

# (key, value, the record's timestamp, partition time) -> timestamp in ms; negative drops the record (A1-A3).
Extractor: TypeAlias = Callable[[Any, Any, int, int], int]


def record_time(_key: Any, _value: Any, timestamp: int, _partition_time: int) -> int:
    """The record's own timestamp; a negative one stops the task (FailOnInvalidTimestamp)."""
    if timestamp < 0:
        raise InvalidTimestamp(f"the record has the invalid timestamp {timestamp}")
    return timestamp


def record_time_or_skip(_key: Any, _value: Any, timestamp: int, _partition_time: int) -> int:
    """The record's own timestamp; a negative one drops the record (LogAndSkipOnInvalidTimestamp)."""
    return timestamp


def record_time_or_partition_time(_key: Any, _value: Any, timestamp: int, partition_time: int) -> int:
    """The record's own timestamp, else the partition's time (UsePartitionTimeOnInvalidTimestamp)."""
    if timestamp >= 0:
        return timestamp
    if partition_time < 0:
        raise InvalidTimestamp(f"the record has the invalid timestamp {timestamp} and the partition has no time yet")
    return partition_time


def wall_clock(_key: Any, _value: Any, timestamp: int, _partition_time: int) -> int:
    """The task's clock (WallclockTimestampExtractor). The task puts its own time in place of this function."""
    return timestamp


class Optimization(Enum):
    """The parts of `topology.optimization`."""

    REUSE_SOURCE_TOPICS = "reuse.ktable.source.topics"
    MERGE_REPARTITION_TOPICS = "merge.repartition.topics"
    SELF_JOIN = "single.store.self.join"


ALL_OPTIMIZATIONS = frozenset(Optimization)


class Stage(Enum):
    """Where a record failed."""

    DESERIALIZATION = "deserialization"
    PROCESSING = "processing"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What a handler is told of the failing record (N6): its origin, the node, its raw bytes."""

    stage: Stage
    topic: str | None
    partition: int
    offset: int
    headers: Headers
    timestamp: int
    node: str
    task: str
    raw_key: bytes | None
    raw_value: bytes | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A handler's answer (N4): go on without the record or fail, and rows to send in either case."""

    resume: bool
    rows: tuple[Row, ...] = ()


class ErrorHandler(Protocol):
    """`dead_letters` is the row the default handlers would send, if a dead letter topic is set."""

    def __call__(self, error: ErrorContext, cause: BaseException, dead_letters: tuple[Row, ...], /) -> Verdict: ...


def fail(_error: ErrorContext, _cause: BaseException, dead_letters: tuple[Row, ...]) -> Verdict:
    """Stop the task (Java's LogAndFail… handlers). What it made of the record is not sent, the dead letter neither."""
    return Verdict(False, dead_letters)


def skip(_error: ErrorContext, _cause: BaseException, dead_letters: tuple[Row, ...]) -> Verdict:
    """Count the record as dropped and go on (Java's LogAndContinue… handlers); the dead letter is sent."""
    return Verdict(True, dead_letters)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsConfig:
    """Times in ms, sizes in bytes. Defaults are Java's but for `cache_bytes`: the changelog is deduplicated instead."""

    application_id: str = "app"  # application.id
    optimization: frozenset[Optimization] = frozenset()  # topology.optimization
    default_key: Serde[Any] | None = None  # default.key.serde
    default_value: Serde[Any] | None = None  # default.value.serde
    default_extractor: Extractor = record_time  # default.timestamp.extractor
    deserialization_handler: ErrorHandler = fail  # deserialization.exception.handler
    processing_handler: ErrorHandler = fail  # processing.exception.handler
    production_handler: ErrorHandler = fail  # production.exception.handler
    dead_letter_topic: str | None = None  # errors.dead.letter.queue.topic.name
    persistent_stores: bool = True  # dsl.store.suppliers.class: RocksDB (our disk base) or in memory
    headers_in_stores: bool = False  # dsl.store.format=headers
    cache_bytes: int = 0  # statestore.cache.max.bytes
    log_every_put: bool = False  # no counterpart: one changelog row per put, as Java with cache 0
    max_task_idle: int = 0  # max.task.idle.ms
    remember_times: bool = True  # no counterpart: what operators know of stream time is committed with the offsets
    window_emit_interval: int | None = None  # 1000; __emit.interval.ms.kstreams.windowed.aggregation__
    outer_join_emit_interval: int | None = None  # 1000; __emit.interval.ms.kstreams.outer.join.spurious.results.fix__
    changelog_extra_retention: int = 86_400_000  # windowstore.changelog.additional.retention.ms
    explicit_names: bool = False  # ensure.explicit.internal.resource.naming
    processors_change_values: bool = False  # __enable.process.processValue.fix__ (B17)
    topic_prefix: str | None = None  # __internal.override.topic.prefix__: in place of the application id (J11)
    wrap_processor: Callable[[str, Any], Any] | None = None  # processor.wrapper.class
    topic_config: Mapping[str, str] = field(default_factory=dict)  # topic.*

    def window_emit_every(self) -> int:
        """How often, by the wall clock, closed windows are looked for (D14)."""
        return 1000 if self.window_emit_interval is None else self.window_emit_interval

    def outer_join_emit_every(self) -> int:
        """How often, by the wall clock, unmatched rows of outer joins are looked for (F4)."""
        return 1000 if self.outer_join_emit_interval is None else self.outer_join_emit_interval

    def internal_topic(self, name: str) -> str:
        """The name on the broker of a repartition topic or a changelog."""
        return f"{self.application_id if self.topic_prefix is None else self.topic_prefix}-{name}"

    def optimizes(self, part: Optimization) -> bool:
        return part in self.optimization
