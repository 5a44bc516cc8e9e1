"""The topics of a topology: those of the users must be there, its own are made as Java makes them (J4, J10, §2.2).

Every instance does so before it joins the group, and finds what another has just made.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from app.errors import BrokerUnavailable, ConfigError, NoPermission
from app.kafka.admin import Admin, NewTopic, open_admin
from app.kafka.clients import Target
from app.kafka.cluster import Cluster, TopicState, missing
from app.kafka.offsets import committed_offsets
from app.kafka.permissions import grant
from app.kafka.requests import Code, Operation, code_name
from app.kafka.topics import DEAD_LETTER_ROOM, DEFAULT_MAX_MESSAGE_BYTES, LARGEST
from app.kafka.versions import NEEDED_BY_STREAMS
from app.kafka.writing import MAX_ROW_BYTES
from app.streams.errors import TopologyError
from app.streams.topology.nodes import SinkNode, SourceNode
from app.streams.topology.plan import Plan, PlannedTopic, plan, task_count
from app.streams.topology.subtopologies import subtopologies
from app.streams.topology.topology import Topology

log = logging.getLogger(__name__)

READY_WITHIN_S = 30.0
"""For brokers that hear of new topics one after the other, and for other instances that make the same."""
NEEDED = (
    Operation.CREATE,
    Operation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS,
    Operation.READ,
    Operation.WRITE,
    Operation.DELETE,  # of records: what was read of a repartition topic
)


@dataclass(frozen=True, slots=True)
class Internal:
    """What a topology has on the cluster."""

    counts: Mapping[str, int]
    """Partitions of every topic that it reads or writes, as far as their names are known."""
    topic_ids: Mapping[str, str]
    """Of the same: a topic that was deleted and made anew has another. Empty before Kafka 2.8."""
    created: tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict)
    """max.message.bytes of those that are written, where we may see it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The topics that a topology does not expect of its users."""

    internal: tuple[PlannedTopic, ...]
    others: tuple[PlannedTopic, ...]
    """Of sinks, and the one of dead letters: used as they are where they are there."""

    @property
    def all(self) -> tuple[PlannedTopic, ...]:
        return self.internal + self.others


async def ensure_internal_topics(target: Target, topology: Topology) -> Internal:
    """Raises ConfigError (a line for each fault), NoPermission (with the command that grants it), BrokerUnavailable."""
    async with open_admin(target) as admin:
        admin.require(NEEDED_BY_STREAMS)
        # What may not be seen is missing in the list of all, and refused when asked for by its name.
        users = {**(await _matching(admin, topology)), **(await _named(admin, target, topology))}
        planned = _plan(topology, users)
        letters = await _letters(admin, topology, users, planned)
        wanted = wanted_topics(topology, planned, letters)
        there = await _there(admin, target, topology, wanted)
        faults = list(misfits(there, wanted.internal, topology.config.application_id))
        if faults:
            raise ConfigError("\n".join(["the topics on Kafka do not fit the topology:", *faults]))
        states, created = await _settle(admin, target.settings.replication_factor, list(users), wanted)
        # Those just made, too: what a topic takes is the brokers' default unless it says otherwise.
        limits = await _limits(admin, written_topics(topology, wanted))
        for line in tight(limits):
            log.warning("%s", line)
        for line in await _differing(admin, there, wanted.internal):
            log.warning("%s", line)
        await _tell(admin, topology, planned, created)
    return Internal(
        {name: state.partitions for name, state in states.items()},
        {name: state.id for name, state in states.items() if state.id},
        tuple(created),
        limits,
    )


def wanted_topics(topology: Topology, planned: Plan, letters: PlannedTopic | None) -> Wanted:
    """`letters`: that of the dead letters, where there is one."""
    users = {topic for name, topic in _user_sources(topology)} | set(planned.partitions)
    others = {} if letters is None or letters.name in users else {letters.name: letters}
    for part in subtopologies(topology):
        tasks = 0 if part.is_global else task_count(topology, part, planned.partitions)
        for sink in part.sinks(topology):
            if isinstance(sink.topic, str) and sink.topic not in topology.internal and sink.topic not in users:
                before = others.get(sink.topic)
                most = max(tasks, before.partitions if before else 1)
                others[sink.topic] = before or PlannedTopic(sink.topic, most, {})
    return Wanted(planned.repartition + planned.changelogs, tuple(others.values()))


def written_topics(topology: Topology, wanted: Wanted) -> list[str]:
    """As far as their names are known: internal ones, sinks that are inputs besides, and the one of dead letters."""
    sinks = [node.topic for node in topology.nodes.values() if isinstance(node, SinkNode)]
    named = [topic for topic in sinks if isinstance(topic, str) and topic not in topology.internal]
    return list(dict.fromkeys([*(topic.name for topic in wanted.all), *named]))


def limits_of(configs: Mapping[str, Mapping[str, str] | None]) -> dict[str, int]:
    """max.message.bytes in effect, of the topics whose configuration we may see."""
    values = {topic: (found or {}).get(LARGEST, "") for topic, found in configs.items()}
    return {topic: int(value) for topic, value in values.items() if value.isdigit()}


def tight(limits: Mapping[str, int]) -> Iterator[str]:
    """`limits`: max.message.bytes of topics that are written. Those that take less than the largest record."""
    for topic, limit in limits.items():
        if limit < MAX_ROW_BYTES:
            yield (
                f"topic {topic} takes records up to {limit} bytes ({LARGEST}), and the topology may make them up to "
                f"{MAX_ROW_BYTES}: a larger one is a dead letter, or ends the topology"
            )


def misfits(there: Mapping[str, TopicState], internal: tuple[PlannedTopic, ...], application: str) -> Iterator[str]:
    """Internal topics with another number of partitions: keys would not be where the tasks look for them."""
    for topic in internal:
        state = there.get(topic.name)
        if state is not None and state.partitions != topic.partitions:
            yield (
                f"- topic {topic.name} has {_partitions(state.partitions)}, and the topology needs {topic.partitions}; "
                f"stop all instances of {application} and begin anew with python -m app reset, or undo the change"
            )


def differences(topic: PlannedTopic, found: Mapping[str, str]) -> list[str]:
    """What of a topic's configuration is not as it would be made: `name=value instead of value`."""
    return [
        f"{name}={found[name]} instead of {value}"
        for name, value in topic.config.items()
        if name in found and sorted(found[name].split(",")) != sorted(value.split(","))
    ]


def _user_sources(topology: Topology) -> Iterator[tuple[str, str]]:
    """Node and topic, of all sources but internal ones and patterns."""
    for node in topology.nodes.values():
        if isinstance(node, SourceNode):
            yield from ((node.name, topic) for topic in node.topics if topic not in topology.internal)


async def _matching(admin: Admin, topology: Topology) -> dict[str, int]:
    """Topics that match the pattern of a source. Those of the application itself and of Kafka are not meant."""
    patterns = [node.pattern for node in topology.nodes.values() if isinstance(node, SourceNode) and node.pattern]
    if not patterns:
        return {}
    cluster = await admin.describe(None)
    ours = topology.config.internal_topic("")
    return {
        state.name: state.partitions
        for state in cluster.topics.values()
        if any(pattern.fullmatch(state.name) for pattern in patterns)
        if state.code == Code.NONE and not state.internal and not state.name.startswith(ours)
        if state.name != topology.config.dead_letter_topic
    }


async def _named(admin: Admin, target: Target, topology: Topology) -> dict[str, int]:
    """Those that are there. A new topic of another instance or of this process may have no leaders yet."""
    names = list(dict.fromkeys(topic for _, topic in _user_sources(topology)))
    states = (await admin.describe(names)).topics if names else {}
    for state in states.values():
        if state.code == Code.TOPIC_AUTHORIZATION_FAILED:
            raise NoPermission(
                f"topic {state.name}, which the topology reads, is not there or may not be seen",
                try_next=grant(target.settings, (Operation.DESCRIBE, Operation.READ), f"--topic {state.name}"),
            )
    return {name: state.partitions for name, state in states.items() if state.code == Code.NONE}


def _plan(topology: Topology, users: Mapping[str, int]) -> Plan:
    try:
        return plan(topology, users)
    except TopologyError as error:
        lines = ["the topics on Kafka do not fit the topology:", *(f"- {fault}" for fault in error.faults)]
        raise ConfigError("\n".join(lines)) from error


async def _letters(admin: Admin, topology: Topology, users: Mapping[str, int], planned: Plan) -> PlannedTopic | None:
    """With room for the largest record of a source and the headers that a letter has besides, and for a batch of them
    where all sources are of small records."""
    name = topology.config.dead_letter_topic
    if name is None:
        return None
    sizes = await _limits(admin, users)
    room = min(max([*sizes.values(), DEFAULT_MAX_MESSAGE_BYTES]) + DEAD_LETTER_ROOM, 2**31 - 1)
    count = max(planned.partitions.values(), default=1)
    return PlannedTopic(name, count, {"cleanup.policy": "delete", LARGEST: str(room)})


async def _limits(admin: Admin, topics: Iterable[str]) -> dict[str, int]:
    return limits_of(await admin.topic_configs({topic: [LARGEST] for topic in topics}))


async def _there(admin: Admin, target: Target, topology: Topology, wanted: Wanted) -> dict[str, TopicState]:
    """Those of the wanted topics that are there."""
    cluster = await admin.describe([topic.name for topic in wanted.all])
    there = {}
    ours = {topic.name for topic in wanted.internal}
    for topic in wanted.all:
        state = cluster.topics.get(topic.name)
        if state is not None and state.code == Code.TOPIC_AUTHORIZATION_FAILED:
            prefix = f"--topic {topology.config.internal_topic('')} --resource-pattern-type prefixed"
            operations = (Operation.CREATE, Operation.DESCRIBE, Operation.WRITE)
            raise NoPermission(
                f"topic {topic.name} is not there or may not be seen",
                try_next=grant(target.settings, NEEDED, prefix)
                if topic.name in ours
                else grant(target.settings, operations, f"--topic {topic.name}"),
            )
        if state is not None and state.code == Code.INVALID_TOPIC_EXCEPTION:
            raise ConfigError(f"{topic.name!r}, which the topology writes, is no name that Kafka takes for a topic")
        if state is not None and not missing(state):
            there[topic.name] = state
    return there


async def _settle(
    admin: Admin, copies: int, users: list[str], wanted: Wanted
) -> tuple[dict[str, TopicState], list[str]]:
    """All topics, made where they are missing, once every partition has a leader; and which were made here.

    Looked at again and again: a broker may still show a topic that was just deleted, and not yet one that was made.
    """
    until = time.monotonic() + READY_WITHIN_S
    names = [*users, *(topic.name for topic in wanted.all)]
    created: list[str] = []
    while True:
        cluster = await admin.describe(names)
        absent = [topic for topic in wanted.all if missing(cluster.topics.get(topic.name))]
        waiting = [name for name in names if not _led(cluster.topics.get(name))]
        if not waiting:
            return cluster.topics, created
        if time.monotonic() > until:
            state = cluster.topics.get(waiting[0])
            why = "has partitions without a leader" if state is None or not state.code else code_name(state.code)
            raise BrokerUnavailable(f"topic {waiting[0]} cannot be used now: {why}")
        created += await _create(admin, copies, absent, cluster) if absent else []
        await asyncio.sleep(0.05)


async def _create(admin: Admin, copies: int, absent: list[PlannedTopic], cluster: Cluster) -> list[str]:
    """The names of those that were not made by another instance meanwhile; none where a later attempt may help."""
    new = [NewTopic(topic.name, topic.partitions, copies, topic.config) for topic in absent]
    try:
        made = await admin.create_topics(new, cluster)
    except BrokerUnavailable as error:  # the controller is moving, or asks us to be slower
        log.debug("topics cannot be created now: %s", error)
        return []
    for topic in absent:
        if topic.name in made:
            log.info("created topic %s with %s", topic.name, _partitions(topic.partitions))
    return [topic.name for topic in absent if topic.name in made]


async def _differing(admin: Admin, there: Mapping[str, TopicState], internal: tuple[PlannedTopic, ...]) -> list[str]:
    """A line for each internal topic whose configuration is not the one that it would be made with."""
    known = [topic for topic in internal if topic.name in there]
    if not known:
        return []
    configs = await admin.topic_configs({topic.name: list(topic.config) for topic in known})
    found = [(topic.name, differences(topic, configs[topic.name] or {})) for topic in known]
    return [
        f"topic {name} was made otherwise and is used as it is: {', '.join(lines)}" for name, lines in found if lines
    ]


async def _tell(admin: Admin, topology: Topology, planned: Plan, created: list[str]) -> None:
    """An application that has worked before and finds a changelog gone has lost a table: not in silence."""
    new = [topic.name for topic in planned.changelogs if topic.name in created]
    if not new:
        return
    committed = await committed_offsets(admin, topology.config.application_id, stable=False)
    read = sorted({partition.topic for partition, offset in committed.items() if offset > 0})
    if read:
        log.warning(
            "%s: not there until now, though the application has read from %s before; "
            "a table that is not new has lost what it held, and python -m app reset makes it anew",
            *(", ".join(new), ", ".join(read)),
        )


def _led(state: TopicState | None) -> bool:
    return state is not None and state.code == Code.NONE and bool(state.leaders) and min(state.leaders) >= 0


def _partitions(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"
