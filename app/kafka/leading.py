"""What the leader of a group tells each member: a function of what they said and of the topics there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.kafka.user_data import (
    VERSION,
    Assignment,
    PeerData,
    Subscription,
    Unreadable,
    names_of,
    task_of,
    tasks_of,
)
from app.streams.assignment import ACCEPTABLE_LAG, Duties, Member, Work, plan
from app.streams.errors import TopologyError
from app.streams.model import TopicPartition
from app.streams.topology.plan import Plan as TopicsPlan
from app.streams.topology.plan import plan as plan_topics
from app.streams.topology.subtopologies import subtopologies
from app.streams.topology.tasks import TaskPartitions, named_topics, task_partitions, topology_digest
from app.streams.topology.topology import Topology

MOST_DEAD = 64
"""Transactional ids of the dead that are remembered, the latest first."""


@dataclass(frozen=True, slots=True)
class Rules:
    """found: partitions of the topics that are not read by tasks (changelogs, global tables), as found at the start."""

    topology: Topology
    standbys: int = 0
    max_warmups: int = 2
    acceptable_lag: int = ACCEPTABLE_LAG
    found: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """A member as the leader sees it: the topics it takes, and what it says of itself or why that is not understood."""

    topics: frozenset[str]
    said: Subscription | Unreadable


@dataclass(frozen=True, slots=True)
class Told:
    """What goes to one member: the partitions of its active tasks, and the user data."""

    data: Assignment
    partitions: tuple[TopicPartition, ...] = ()


class TopicsMissing(Exception):
    """Topics that are read and that the cluster does not know, or not yet."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = tuple(sorted(topics))
        super().__init__(", ".join(self.topics))


def decide(rules: Rules, joined: Mapping[str, Joined], counts: Mapping[str, int]) -> dict[str, Told]:
    """For every member id. `counts`: partitions of the topics that the cluster knows.

    In one generation runs one topology, the leader's; members with another wait until those with this one have left.
    Members that are not understood are refused alone. Raises TopicsMissing, TopologyError.
    """
    digest = topology_digest(rules.topology)
    told: dict[str, Told] = {}
    fit: dict[str, Subscription] = {}
    for member, each in joined.items():
        said = each.said
        if isinstance(said, Unreadable):
            told[member] = Told(Assignment(v=VERSION, error=f"this process cannot take part in the group: {said}"))
        elif said.digest != digest:
            told[member] = Told(
                Assignment(v=VERSION, wait=f"the group runs another topology ({digest}, this process {said.digest})")
            )
        else:
            fit[member] = said
    if not fit:
        return told
    taken = frozenset.intersection(*(joined[member].topics for member in fit))
    counts = {topic: count for topic, count in counts.items() if topic in taken}
    work = _work(rules, counts)
    duties = _duties(rules, work, fit)
    alive = {each.said.transactional_id for each in joined.values() if isinstance(each.said, Subscription)}
    shared = _Shared(
        tuple(_peer(fit[member], duties[member]) for member in sorted(fit)),
        dead_ids(fit.values(), alive),
        {topic: counts[topic] for topic in sorted(work.topics)},
    )
    return told | {member: _told(said, duties[member], work, shared) for member, said in fit.items()}


def dead_ids(present: Iterable[Subscription], alive: Iterable[str | None]) -> tuple[str, ...]:
    """Transactional ids of the last generations that no present member claims and none has fenced: the latest first."""
    claimed = set(alive)
    rank: dict[str, int] = {}
    fenced: set[str] = set()
    for said in present:
        fenced.update(said.fenced)
        for place, name in enumerate(said.known):
            rank[name] = min(rank.get(name, place), place)
    left = (name for name in rank if name not in claimed and name not in fenced)
    return tuple(sorted(left, key=lambda name: (rank[name], name))[:MOST_DEAD])


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all members are told alike."""

    peers: tuple[PeerData, ...]
    dead: tuple[str, ...]
    counts: dict[str, int]


def _work(rules: Rules, counts: Mapping[str, int]) -> TaskPartitions:
    topology = rules.topology
    if missing := named_topics(topology) - counts.keys():
        raise TopicsMissing(missing)
    internal = {topology.topic_name(topic) for topic in topology.internal}
    known = {topic: count for topic, count in counts.items() if topic not in internal}
    for part in subtopologies(topology):
        if part.is_global:  # no member takes its topic, hence no metadata here
            topics = [topic for source in part.sources(topology) for topic in source.topics]
            known |= {topic: rules.found.get(topic, 1) for topic in topics}
    planned = plan_topics(topology, known)
    if faults := _misfits(planned, {**rules.found, **counts}):
        raise TopologyError(faults)
    return task_partitions(topology, counts)


def _misfits(planned: TopicsPlan, counts: Mapping[str, int]) -> list[str]:
    """Internal topics whose partitions no longer go with those of the topics they are derived from."""
    return [
        f"{topic.name} has {counts[topic.name]} partitions and should have {topic.partitions}: the topics before it "
        "have changed; stop all members and reset the application (python -m app reset)"
        for topic in (*planned.repartition, *planned.changelogs)
        if counts.get(topic.name, topic.partitions) != topic.partitions
    ]


def _duties(rules: Rules, work: TaskPartitions, fit: Mapping[str, Subscription]) -> dict[str, Duties]:
    # Members are known by their process: its name is the same after a restart, so that plans are too.
    processes = Counter(said.process for said in fit.values())
    names = {
        member: said.process if processes[said.process] == 1 else f"{said.process} {member}"
        for member, said in fit.items()
    }
    members = [
        Member(
            names[member],
            said.process,
            frozenset(tasks_of(said.running)) & work.sources.keys(),
            {task: lag for name, lag in said.lags.items() if (task := task_of(name)) in work.stateful},
        )
        for member, said in fit.items()
    ]
    wanted = Work(
        tasks=frozenset(work.sources),
        stateful=work.stateful,
        standbys=rules.standbys,
        max_warmups=rules.max_warmups,
        acceptable_lag=rules.acceptable_lag,
    )
    duties = plan(wanted, members).duties
    return {member: duties[name] for member, name in names.items()}


def _peer(said: Subscription, duties: Duties) -> PeerData:
    return PeerData(
        said.process, said.transactional_id, said.address, names_of(duties.active), names_of(duties.standby)
    )


def _told(said: Subscription, duties: Duties, work: TaskPartitions, shared: _Shared) -> Told:
    data = Assignment(
        v=VERSION,
        process=said.process,
        transactional_id=said.transactional_id,
        address=said.address,
        digest=said.digest,
        active=names_of(duties.active),
        standby=names_of(duties.standby),
        warmups=names_of(duties.warmups),
        peers=shared.peers,
        dead=shared.dead,
        counts=shared.counts,
    )
    return Told(data, tuple(partition for task in duties.active for partition in work.sources[task]))
