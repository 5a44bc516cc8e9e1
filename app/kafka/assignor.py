"""The group's assignor as aiokafka calls it. It does not raise: an error in here would end aiokafka's coordination."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from app.kafka.failures import describe
from app.kafka.leading import Joined, Rules, Told, TopicsMissing, decide
from app.kafka.user_data import (
    VERSION,
    Assignment,
    Subscription,
    Unreadable,
    encode,
    read_assignment,
    read_subscription,
)
from app.streams.errors import TopologyError
from app.streams.model import TopicPartition

log = logging.getLogger(__name__)

PROTOCOL = "asyncio-streams"
"""Not Java's `stream`: a broker lets no two kinds of member into one group."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """say: of this member, at each join. heard: of its assignment, before a fetch can use it. led: after a plan of
    ours; the ids of all who are present, and the topics for which it has to be made anew soon."""

    say: Callable[[], Subscription]
    heard: Callable[[tuple[TopicPartition, ...], Assignment | Unreadable], None]
    led: Callable[[tuple[str, ...], tuple[str, ...]], None]


class StreamsAssignor:
    """An instance where aiokafka expects a class: it calls these four names and never constructs one."""

    name = PROTOCOL

    def __init__(self, rules: Rules, hooks: Hooks, *, missing_within: float) -> None:
        """missing_within: seconds for which topics may be missing before the group gives up."""
        self._rules = rules
        self._hooks = hooks
        self._missing_within = missing_within
        self._missing_since: float | None = None

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(0, sorted(topics), encode(self._hooks.say()))

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        joined = {member: _joined(sent) for member, sent in members.items()}
        topics = frozenset().union(*(each.topics for each in joined.values()))
        counts = {topic: len(found) for topic in topics if (found := cluster.partitions_for_topic(topic))}
        told = self._decided(joined, counts)
        return {member: _assignment(told[member]) for member in members}

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        partitions = tuple(TopicPartition(*partition) for partition in assignment.partitions())
        try:
            told: Assignment | Unreadable = read_assignment(assignment.user_data)
        except Unreadable as unreadable:
            told = unreadable
        self._hooks.heard(partitions, told)

    def _decided(self, joined: Mapping[str, Joined], counts: Mapping[str, int]) -> dict[str, Told]:
        missing: tuple[str, ...] = ()
        try:
            told = decide(self._rules, joined, counts)
            self._missing_since = None
        except TopicsMissing as absent:
            missing = absent.topics
            told = self._without(missing, joined)
        except TopologyError as misfit:
            told = _all(joined, error=str(misfit))
        except Exception as bug:
            log.exception("planning for the group")
            told = _all(joined, error=f"its leader could not make a plan: {describe(bug)}")
        ids = (each.said.transactional_id for each in joined.values() if isinstance(each.said, Subscription))
        self._hooks.led(tuple(sorted(name for name in ids if name)), missing)
        return told

    def _without(self, missing: tuple[str, ...], joined: Mapping[str, Joined]) -> dict[str, Told]:
        """Metadata of a new topic takes a moment to get round, and those of a deleted one never come."""
        now = time.monotonic()
        since = self._missing_since = self._missing_since if self._missing_since is not None else now
        which = f"{', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist"
        if now - since < self._missing_within:
            return _all(joined, wait=f"{which}, or not yet")
        return _all(joined, error=f"{which}, and the topology reads {'it' if len(missing) == 1 else 'them'}")


def _joined(sent: ConsumerProtocolMemberMetadata) -> Joined:
    try:
        said: Any = read_subscription(sent.user_data)
    except Unreadable as unreadable:
        said = unreadable
    return Joined(frozenset(sent.subscription), said)


def _all(joined: Iterable[str], *, error: str = "", wait: str = "") -> dict[str, Told]:
    return dict.fromkeys(joined, Told(Assignment(v=VERSION, error=error, wait=wait)))


def _assignment(told: Told) -> ConsumerProtocolMemberAssignment:
    topics: dict[str, list[int]] = {}
    for topic, partition in told.partitions:
        topics.setdefault(topic, []).append(partition)
    return ConsumerProtocolMemberAssignment(0, sorted(topics.items()), encode(told.data))
