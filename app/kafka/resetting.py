"""An application's way back: offsets of its inputs set, its internal topics deleted (Java's StreamsResetter)."""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.errors import BrokerUnavailable, NoPermission, TryAgain
from app.kafka.admin import Admin, GroupState
from app.kafka.cluster import Cluster, TopicState, missing
from app.kafka.offsets import commit_offsets, committed_offsets
from app.kafka.requests import Operation
from app.kafka.usage import alive
from app.streams.model import TopicPartition
from app.streams.topology.nodes import Reset, SourceNode
from app.streams.topology.topology import Topology

UNCHANGED = "nothing was changed on Kafka"
_INTERNAL = re.compile(r".*(-changelog|-repartition|-subscription-(registration|response)-topic)")
_FOREIGN_KEY = re.compile(r"KTABLE-FK-JOIN-SUBSCRIPTION-(REGISTRATION|RESPONSE)-\d+-topic")


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a partition. value: ms since 1970 of a time, or an offset, which is brought within the partition."""

    kind: Literal["earliest", "latest", "time", "offset"]
    value: int = 0


@dataclass(frozen=True, slots=True)
class Aim:
    topics: Mapping[str, Where] = field(default_factory=dict)
    others: Where = Where("earliest")

    def of(self, topic: str) -> Where:
        return self.topics.get(topic, self.others)


@dataclass(frozen=True, slots=True)
class Move:
    """Of a partition's committed offset. committed: None where there is none."""

    topic: str
    partition: int
    first: int
    end: int
    committed: int | None
    target: int


@dataclass(frozen=True, slots=True)
class Doomed:
    name: str
    partitions: int
    records: int


@dataclass(frozen=True, slots=True)
class Way:
    """What a reset would do on the cluster."""

    cluster: Cluster
    group: GroupState
    inputs: tuple[str, ...]
    moves: tuple[Move, ...]
    absent: tuple[str, ...]
    """Inputs, and topics of `also`, that are not there."""
    internal: tuple[Doomed, ...]
    strange: tuple[str, ...]
    """Named like internal topics of the application, and not of this topology: of an older one, or of another
    application whose id begins with ours."""

    @property
    def done(self) -> bool:
        return not self.moves and not self.internal


def inputs(topology: Topology) -> Iterator[SourceNode]:
    """The sources that have offsets: not those of internal topics, and not of global tables."""
    kept = {entry.source for entry in topology.globals.values()}
    for node in topology.nodes.values():
        if isinstance(node, SourceNode) and node.name not in kept and not node.internal:
            yield node


def input_rules(topology: Topology, known: Collection[str]) -> dict[str, Reset | int | None]:
    """Input topics, in the order of the topology → where the source begins without an offset. A pattern takes those of
    `known` that match."""
    found: dict[str, Reset | int | None] = {}
    for node in inputs(topology):
        named = [topic for topic in node.topics if topic not in topology.internal]
        if (pattern := node.pattern) is not None:
            named = sorted(
                topic for topic in known if pattern.fullmatch(topic) and not named_like_internal(topic, topology)
            )
        found |= dict.fromkeys(named, node.reset)
    return found


def internal_names(topology: Topology) -> list[str]:
    """Those of this topology, as on the broker."""
    logged = [name for name, spec in topology.stores.items() if spec.logging and name not in topology.restored_from]
    return [*map(topology.topic_name, topology.internal), *map(topology.changelog, logged)]


def named_like_internal(topic: str, topology: Topology) -> bool:
    """As Java's resetter tells them: by their names, of whatever topology."""
    prefix = topology.config.internal_topic("")
    if not topic.startswith(prefix):
        return False
    rest = topic.removeprefix(prefix)
    return bool(_INTERNAL.fullmatch(topic) or _FOREIGN_KEY.fullmatch(rest))


async def survey(admin: Admin, topology: Topology, aim: Aim, *, also: Collection[str] = (), stable: bool) -> Way:
    """`also`: further topics to delete, of `strange`. `stable`: waits for open transactions. Raises ServiceError."""
    application = topology.config.application_id
    seen = [state.name for state in (await admin.describe(None)).topics.values() if not state.internal]
    rules = input_rules(topology, seen)
    wanted = sorted({*internal_names(topology), *also})
    # By their names: what may not be seen is refused then, and not just missing.
    cluster = await admin.describe([*rules, *wanted])
    group = await admin.group(application)
    committed = await committed_offsets(admin, application, stable=stable)
    moves: list[Move] = []
    absent = []
    for topic, rule in rules.items():
        state = cluster.topics.get(topic)
        if state is None or missing(state):
            absent.append(topic)
            continue
        admin.check_topic(state)
        moves += await _moves(admin, cluster, state, (aim.of(topic), rule), committed)
    internal = [await _doomed(admin, cluster, cluster.topics[name]) for name in wanted if name in cluster.topics]
    absent += [name for name in also if missing(cluster.topics.get(name))]
    strange = sorted(name for name in seen if named_like_internal(name, topology) and name not in wanted)
    doomed = tuple(topic for topic in internal if topic is not None)
    return Way(cluster, group, tuple(rules), tuple(moves), tuple(absent), doomed, tuple(strange))


async def _moves(
    admin: Admin,
    cluster: Cluster,
    state: TopicState,
    aim: tuple[Where, Reset | int | None],
    committed: Mapping[TopicPartition, int],
) -> list[Move]:
    """Those partitions that are not yet where they should be."""
    where, rule = aim
    ends = await _ends(admin, cluster, state)
    at = await admin.offsets_at(state, cluster, where.value) if where.kind == "time" else {}
    found = []
    for partition, (first, end) in sorted(ends.items()):
        now = committed.get(TopicPartition(state.name, partition))
        target = _target(where, first, end, at.get(partition, -1))
        begins_there = now is None and where.kind == "earliest" and rule in (None, Reset.EARLIEST)
        if now != target and not begins_there:
            found.append(Move(state.name, partition, first, end, now, target))
    return found


def _target(where: Where, first: int, end: int, at: int) -> int:
    """`at`: offset of the first record of the time; -1: there is none, so that the next one is the first."""
    match where.kind:
        case "earliest":
            return first
        case "latest":
            return end
        case "time":
            return end if at < 0 else at
        case "offset":
            return min(max(where.value, first), end)


async def _ends(admin: Admin, cluster: Cluster, state: TopicState) -> dict[int, tuple[int, int]]:
    ends = await admin.end_offsets(state, cluster)
    if len(ends) < state.partitions:
        raise BrokerUnavailable(f"topic {state.name} has partitions without a leader")
    return ends


async def _doomed(admin: Admin, cluster: Cluster, state: TopicState) -> Doomed | None:
    if missing(state):
        return None
    admin.check_topic(state)
    ends = await admin.end_offsets(state, cluster)
    return Doomed(state.name, state.partitions, sum(end - first for first, end in ends.values()))


async def execute(admin: Admin, way: Way) -> AsyncGenerator[str, None]:
    """What is done, in words, as soon as it is: an error in between leaves the rest to the next reset. Raises TryAgain
    while the group has members, NoPermission where a topic may not be deleted, and then has done nothing."""
    refuse_members(await admin.group(way.group.name))
    for doomed in way.internal:
        if way.cluster.topics[doomed.name].allows(Operation.DELETE) is False:
            remedy = admin.grant(Operation.DELETE, f"--topic {doomed.name}")
            raise NoPermission(f"topic {doomed.name} may not be deleted; {UNCHANGED}", try_next=remedy)
    # The broker refuses this while there are members: so it comes first, and one that has just joined is safe.
    await commit_offsets(admin, way.group.name, {TopicPartition(m.topic, m.partition): m.target for m in way.moves})
    for topic, count in Counter(move.topic for move in way.moves).items():
        yield f"set the offsets of {topic} in {count} partition{'s' if count > 1 else ''}"
    # Committed offsets of a topic go with it.
    for doomed in way.internal:
        await admin.delete_topic(doomed.name, way.cluster)
        yield f"deleted topic {doomed.name}"


def refuse_members(group: GroupState) -> None:
    if group.members:
        who = ", ".join(f"{member.id} at {member.host.removeprefix('/')}" for member in group.members)
        raise TryAgain(f"{alive(group)}: {who}", try_next=f"end them first; {UNCHANGED}")
