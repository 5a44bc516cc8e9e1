"""What the application has on the cluster: its topics and its group, and their end."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import TryAgain
from app.kafka.admin import Admin, GroupState
from app.kafka.cluster import Cluster, TopicState, missing
from app.settings.model import SettingsTree

SHOWN_CONFIGS = ("cleanup.policy", "retention.ms", "max.message.bytes", "min.insync.replicas")


@dataclass(frozen=True, slots=True)
class PartitionUse:
    number: int
    first: int
    end: int
    committed: int | None
    """Offset of the group's next record; None: it has committed none."""

    @property
    def lag(self) -> int:
        """Records that the group has before it."""
        return self.end - max(self.committed or 0, self.first)


@dataclass(frozen=True, slots=True)
class TopicUse:
    state: TopicState
    configs: Mapping[str, str] | None
    """None where we may not see them."""
    partitions: tuple[PartitionUse, ...]
    read: bool
    """By the group."""

    @property
    def records(self) -> int:
        return sum(partition.end - partition.first for partition in self.partitions)

    @property
    def lag(self) -> int:
        return sum(partition.lag for partition in self.partitions)


@dataclass(frozen=True, slots=True)
class Usage:
    cluster: Cluster
    topics: tuple[TopicUse, ...]
    absent: tuple[str, ...]
    """Topics that are not there."""
    group: GroupState

    @property
    def group_exists(self) -> bool:
        return self.group.state != "Dead"


async def survey(admin: Admin, settings: SettingsTree) -> Usage:
    """Raises ServiceError."""
    names = (settings.kafka.topic, settings.dead_letter_topic)
    cluster = await admin.describe(names)
    group = await admin.group(settings.c.group_id)
    uses, absent = [], []
    for name in names:
        state = cluster.topics.get(name)
        if state is None or missing(state):
            absent.append(name)
        else:
            admin.check_topic(state)
            read = name == settings.kafka.topic
            committed = await admin.committed(group.name, state) if read else {}
            uses.append(await _use(admin, cluster, state, committed, read))
    return Usage(cluster, tuple(uses), tuple(absent), group)


async def _use(admin: Admin, cluster: Cluster, state: TopicState, committed: Mapping[int, int], read: bool) -> TopicUse:
    ends = await admin.end_offsets(state, cluster)
    partitions = (PartitionUse(number, *ends[number], committed.get(number)) for number in sorted(ends))
    return TopicUse(state, await admin.configs(state.name, SHOWN_CONFIGS), tuple(partitions), read)


async def delete(admin: Admin, usage: Usage) -> tuple[str, ...]:
    """What was deleted, in words. Raises TryAgain while the group has members, and then has deleted nothing."""
    if usage.group.members:
        raise TryAgain(alive(usage.group), try_next="end them first; nothing was deleted")
    gone = []
    # The broker refuses this while there are members: so it comes first, and one that has just joined is safe.
    if usage.group_exists and await admin.delete_group(usage.group.name):
        gone.append(f"group {usage.group.name}")
    for topic in usage.topics:
        await admin.delete_topic(topic.state.name, usage.cluster)
        gone.append(f"topic {topic.state.name}")
    return tuple(gone)


def alive(group: GroupState) -> str:
    count = len(group.members)
    return f"group {group.name} has {count} live member{'s' if count != 1 else ''}"
