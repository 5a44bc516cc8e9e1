"""Which member of the group runs which task: a pure function, the same on whichever member leads.

In the manner of Kafka Streams' HighAvailabilityTaskAssignor (L4, L5), in this order:

1. A task goes where its state is: to its owner, else to a member whose copy is caught up.
2. Members get equally many tasks, give or take one, of those with state and of all; and the tasks of one sub-topology,
   which are equally much work, are spread.
3. A task that balance moves to a member without its state stays where it is until that member has warmed up.
4. Standby copies stand with members that do not run the task, spread evenly, kept where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.streams.model import TaskId

ACCEPTABLE_LAG = 10_000
"""acceptable.recovery.lag: a copy at most so many changelog records behind counts as caught up."""

Lags = Mapping[TaskId, int]


@dataclass(frozen=True, slots=True)
class Member:
    """What a member says of itself when it joins. lags: changelog records that each of its copies lacks; 0 for what it
    runs now. process: members of one process share its fate, and no standby is worth having there twice."""

    name: str
    process: str
    running: frozenset[TaskId] = frozenset()
    lags: Lags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Duties:
    """What a member is told. warmups: tasks it will run once its copy is caught up."""

    active: tuple[TaskId, ...] = ()
    standby: tuple[TaskId, ...] = ()
    warmups: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    duties: Mapping[str, Duties]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The tasks of a topology; those in `stateful` have changelogs."""

    tasks: frozenset[TaskId]
    stateful: frozenset[TaskId] = frozenset()
    standbys: int = 0
    max_warmups: int = 2
    acceptable_lag: int = ACCEPTABLE_LAG


def plan(work: Work, members: Iterable[Member]) -> Plan:
    """Every task runs on exactly one member. Raises ValueError without members."""
    ordered = sorted(members, key=lambda member: member.name)
    if not ordered:
        raise ValueError("a plan needs at least one member")
    wanted = _balanced(work, ordered)
    active, warmups = _keep_until_warm(work, ordered, wanted)
    standby = _standbys(work, ordered, active, warmups)
    return Plan(
        {
            member.name: Duties(
                tuple(sorted(task for task, owner in active.items() if owner == member.name)),
                tuple(sorted(standby[member.name])),
                tuple(sorted(task for task, owner in warmups.items() if owner == member.name)),
            )
            for member in ordered
        }
    )


def _balanced(work: Work, members: Sequence[Member]) -> dict[TaskId, str]:
    """Owners with equally many tasks each, and as few moves as that allows. State is what is heavy: it goes first."""
    owners: dict[TaskId, str] = {}
    for tasks in (work.tasks & work.stateful, work.tasks):
        # By partition, so that a member that gives some away keeps some of every sub-topology.
        ordered = sorted(tasks - owners.keys(), key=lambda task: (task.partition, task.subtopology))
        _Shares(members, owners, len(tasks)).give(work, ordered)
    return owners


class _Shares:
    """Adds tasks to `owners` until there are `total`, so that nobody has two more than another."""

    def __init__(self, members: Sequence[Member], owners: dict[TaskId, str], total: int) -> None:
        self._members = members
        self._owners = owners
        self._least, self._extra = divmod(total, len(members))
        self._load = {member.name: 0 for member in members}
        self._of_part: Counter[tuple[str, int]] = Counter()
        self._fuller = 0
        for task, owner in owners.items():
            self._count(task, owner)

    def give(self, work: Work, tasks: Sequence[TaskId]) -> None:
        # Twice claimed is possible after a member came back: the first by name keeps it.
        for task in tasks:
            holder = next((member.name for member in self._members if task in member.running), None)
            if holder is not None and self._has_room(holder):
                self._own(task, holder)
        for task in (task for task in tasks if task not in self._owners and task in work.stateful):
            best = [name for _, name in sorted(_caught_up(work, self._members, task)) if self._has_room(name)]
            if best:
                self._own(task, best[0])
        for task in (task for task in tasks if task not in self._owners):
            candidates = [member for member in self._members if self._has_room(member.name)]
            self._own(task, min(candidates, key=lambda member: self._rank(member, task)).name)

    def _rank(self, member: Member, task: TaskId) -> tuple[int, int, int, str]:
        """The least lag first, however large: less to restore. The name last, to be deterministic."""
        of_part = self._of_part[member.name, task.subtopology]
        return member.lags.get(task, _UNKNOWN), self._load[member.name], of_part, member.name

    def _has_room(self, name: str) -> bool:
        """At most `extra` members carry one task more than the others."""
        return self._load[name] < self._least or (self._load[name] == self._least and self._fuller < self._extra)

    def _own(self, task: TaskId, name: str) -> None:
        self._owners[task] = name
        self._count(task, name)

    def _count(self, task: TaskId, name: str) -> None:
        self._load[name] += 1
        self._of_part[name, task.subtopology] += 1
        self._fuller += self._load[name] == self._least + 1


_UNKNOWN = 2**63


def _caught_up(work: Work, members: Sequence[Member], task: TaskId) -> list[tuple[int, str]]:
    """(lag, member) of the copies that may take over at once."""
    return [
        (member.lags[task], member.name) for member in members if member.lags.get(task, _UNKNOWN) <= work.acceptable_lag
    ]


def _keep_until_warm(
    work: Work, members: Sequence[Member], wanted: Mapping[TaskId, str]
) -> tuple[dict[TaskId, str], dict[TaskId, str]]:
    """The owners for now, and where the moves that have to wait are warmed up (L4)."""
    active = dict(wanted)
    warmups: dict[TaskId, str] = {}
    for task in sorted(work.stateful & work.tasks):
        ready = sorted(_caught_up(work, members, task))
        names = {name for _, name in ready}
        if not ready or wanted[task] in names:
            continue  # nobody is better off, or the wanted one is ready
        running = [member.name for member in members if task in member.running and member.name in names]
        active[task] = running[0] if running else ready[0][1]
        if len(warmups) < work.max_warmups:
            warmups[task] = wanted[task]
    return active, warmups


def _standbys(
    work: Work, members: Sequence[Member], active: Mapping[TaskId, str], warmups: Mapping[TaskId, str]
) -> dict[str, set[TaskId]]:
    """Copies on other processes than the active's, kept where there is one already, else with the least loaded."""
    copies: dict[str, set[TaskId]] = {member.name: set() for member in members}
    process = {member.name: member.process for member in members}
    for task in sorted(work.stateful & work.tasks):
        taken = {process[active[task]]}
        if task in warmups:
            taken.add(process[warmups[task]])
        for _ in range(work.standbys):
            free = [member for member in members if member.process not in taken]
            if not free:
                break
            chosen = min(free, key=lambda member: _standby_rank(member, task, copies))
            copies[chosen.name].add(task)
            taken.add(chosen.process)
    return copies


def _standby_rank(member: Member, task: TaskId, copies: Mapping[str, Collection[TaskId]]) -> tuple[bool, int, int, str]:
    return task not in member.lags, len(copies[member.name]), member.lags.get(task, _UNKNOWN), member.name
