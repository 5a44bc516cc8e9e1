"""What a process says of itself to its group, and what a generation of the group means for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.kafka.group_metadata import GroupMetadata
from app.kafka.user_data import PeerData, tasks_of
from app.streams.assignment import Duties
from app.streams.model import TaskId, TopicPartition


@dataclass(frozen=True, slots=True)
class Standing:
    """What this process says of itself. lags: changelog records that its copies lack, by task."""

    running: frozenset[TaskId] = frozenset()
    lags: Mapping[TaskId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """A member of the group, this one included. address: host:port of its queries, if it tells one."""

    process: str
    transactional_id: str | None
    address: str | None
    active: tuple[TaskId, ...]
    standby: tuple[TaskId, ...]


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a generation means for this member.

    partitions: of the active tasks. dead: transactional ids to be fenced before offsets are read. peers: by process.
    counts: partitions of each topic that is read. unbroken: nobody else can have run a task of ours since the last
    assignment that was looked at, so tasks that stayed go on where they were; else what is committed may be another's.
    """

    epoch: int
    group: GroupMetadata
    duties: Duties
    partitions: Mapping[TaskId, tuple[TopicPartition, ...]]
    dead: tuple[str, ...]
    peers: Mapping[str, Peer]
    counts: Mapping[str, int]
    unbroken: bool


def peer_of(told: PeerData) -> Peer:
    return Peer(told.process, told.transactional_id, told.address, tasks_of(told.active), tasks_of(told.standby))


def follows(last: GroupMetadata, group: GroupMetadata) -> bool:
    """Whether there was no generation between them in which another member could have had our tasks."""
    return last.member == group.member and 0 <= group.generation - last.generation <= 1
