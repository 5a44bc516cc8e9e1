"""Stores as data on the topology: what kind, which serdes, logged or not. `open_store` makes the living one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from app.streams.serdes import Serde

LARGEST_LONG = 2**63 - 1
DAY = 86_400_000

COMPACT = {"cleanup.policy": "compact"}


class LoggedHeaders(Enum):
    """Which changelog rows carry the headers of the record that made them (§2.5, I10)."""

    NONE = "none"
    # What Java's `dsl.store.format=headers` comes to: the DSL puts values without headers, and only a deletion, which
    # has no value, takes those of the record.
    DELETIONS = "deletions"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec:
    """What all kinds have. `log_config` are topic settings of the changelog, over the defaults of its kind."""

    # Only these forward through the record cache when `caching` is on (I12).
    cacheable: ClassVar[bool] = False
    # Only these can be restored from, and share, the topic of a table (J7).
    reads_source_topic: ClassVar[bool] = False

    name: str
    key: Serde[Any]
    value: Serde[Any]
    persistent: bool = True
    caching: bool = False
    logging: bool = True
    log_config: Mapping[str, str] = field(default_factory=dict)

    def changelog_config(self, additional_retention: int = DAY) -> dict[str, str]:
        """Settings of the changelog topic at creation (reference 2.2); `additional_retention` in ms."""
        return {**COMPACT, **self.log_config}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValueSpec(StoreSpec):
    """Plain or timestamped key-value store (I1, I2)."""

    cacheable: ClassVar[bool] = True
    reads_source_topic: ClassVar[bool] = True

    timestamped: bool = False
    log_headers: LoggedHeaders = LoggedHeaders.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class LruSpec(StoreSpec):
    """Key-value store of at most `capacity` keys; an eviction is logged as a tombstone (I1)."""

    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec(StoreSpec):
    """Window store (I3, I4). retention and size in ms; `retain_duplicates` numbers every put (joins)."""

    cacheable: ClassVar[bool] = True

    retention: int
    size: int
    retain_duplicates: bool = False
    timestamped: bool = False
    time_ordered: bool = False  # emit on window close scans it by time (D14)
    log_headers: LoggedHeaders = LoggedHeaders.NONE

    def changelog_config(self, additional_retention: int = DAY) -> dict[str, str]:
        # Every put of a join store has a key of its own, so compaction would never drop one.
        policy = "delete" if self.retain_duplicates else "compact,delete"
        return {"cleanup.policy": policy, **_retention(self.retention, additional_retention), **self.log_config}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec(StoreSpec):
    """Session store (I5). retention in ms."""

    cacheable: ClassVar[bool] = True

    retention: int
    time_ordered: bool = False  # emit on window close scans it by time (D14)
    log_headers: LoggedHeaders = LoggedHeaders.NONE

    def changelog_config(self, additional_retention: int = DAY) -> dict[str, str]:
        return {
            "cleanup.policy": "compact,delete",
            **_retention(self.retention, additional_retention),
            **self.log_config,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedSpec(StoreSpec):
    """Versioned key-value store (I6, I7). history = history retention = grace, in ms."""

    reads_source_topic: ClassVar[bool] = True

    history: int
    segment_interval: int | None = None

    def changelog_config(self, additional_retention: int = DAY) -> dict[str, str]:
        lag = min(self.history + additional_retention, LARGEST_LONG)
        return {**COMPACT, "min.compaction.lag.ms": str(lag), **self.log_config}


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterJoinSpec(StoreSpec):
    """List store of rows that wait for a partner (I8, F3): `value` is the left side's serde."""

    right_value: Serde[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressSpec(StoreSpec):
    """In-memory time-ordered buffer of a suppress (G3, I9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraceSpec(StoreSpec):
    """Time-ordered buffer of a stream-table join with grace (F11, I9). grace in ms."""

    grace: int


def _retention(retention: int, additional: int) -> dict[str, str]:
    return {"retention.ms": str(min(retention + additional, LARGEST_LONG))}
