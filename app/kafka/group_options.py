"""How to be a member of a group: the settings, and the errors by which a broker refuses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import InconsistentGroupProtocolError, InvalidSessionTimeoutError, KafkaError

from app.errors import ConfigError, ServiceError
from app.kafka.failures import describe, fatal
from app.kafka.opening import rebalance_timeout_ms
from app.streams.assignment import ACCEPTABLE_LAG

HEARTBEAT_MS = 300
REVOKE_SHARE = 0.8
"""Of the rebalance time-out: who has not joined again by its end is thrown out, with the tasks it would have kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipOptions:
    """Times in ms where the name says so, else in seconds. instance_id: static membership (group.instance.id).

    process: the same after a restart over the same state, and never in two live processes. found: partitions of the
    topics that no task reads (changelogs, global tables). revoke_within: see `revoke_in`. missing_within: for which
    topics may be missing.
    """

    group: str
    process: str
    transactional_id: str | None = None
    address: str | None = None
    instance_id: str | None = None
    session_timeout_ms: int = 10_000
    heartbeat_interval_ms: int | None = None
    revoke_within: float = 10.0
    isolation_level: str = "read_committed"
    standbys: int = 0
    max_warmups: int = 2
    acceptable_lag: int = ACCEPTABLE_LAG
    found: Mapping[str, int] = field(default_factory=dict)
    missing_within: float = 15.0
    refresh_within: float = 30.0
    """How soon new topics of a pattern are seen."""

    def consumer(self, client: Mapping[str, Any]) -> dict[str, Any]:
        """What a group's consumer takes beside the options of every client."""
        return {
            "group_id": self.group,
            "group_instance_id": self.instance_id,
            "session_timeout_ms": self.session_timeout_ms,
            "heartbeat_interval_ms": self._heartbeat_ms,
            "rebalance_timeout_ms": rebalance_timeout_ms(dict(client)),
        }

    def rebalance_within(self, client: Mapping[str, Any]) -> float:
        """Seconds for which the group waits for a member that was asked to join again."""
        return rebalance_timeout_ms(dict(client)) / 1000

    def revoke_in(self, client: Mapping[str, Any]) -> float:
        """Seconds in which the work in hand has to be finished when the group changes: `revoke_within`, or so much
        less that this member, which is told of the change at a heartbeat, joins in time."""
        whole = self.rebalance_within(client)
        return min(self.revoke_within, max(REVOKE_SHARE * whole - self._heartbeat_ms / 1000, whole / 2))

    @property
    def _heartbeat_ms(self) -> int:
        return self.heartbeat_interval_ms or min(HEARTBEAT_MS, self.session_timeout_ms // 3)


def refusal(error: KafkaError, options: MembershipOptions) -> ServiceError | None:
    """What to end with; None: it may pass."""
    if isinstance(error, InvalidSessionTimeoutError):
        return ConfigError(
            f"APP_STREAMS__SESSION_TIMEOUT_MS={options.session_timeout_ms} is outside what the broker allows "
            "(group.min.session.timeout.ms to group.max.session.timeout.ms)"
        )
    return fatal(error, who="the stream worker", what=f"take part in group {options.group}")


def obstacle(error: KafkaError, group: str) -> str:
    """What is waited for."""
    if isinstance(error, InconsistentGroupProtocolError):
        return f"group {group} is in use by another kind of member (Java Kafka Streams?) until its session ends"
    return f"group {group}: {describe(error)}"
