"""A little cluster in memory: logs of topics, committed offsets, stores that outlive a crash, and the life of a task.

Only what was committed is on the logs, as a reader at read_committed would see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import zip_longest
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from app.streams.model import Commit, Inbound, Offset, Outbound, Row, TaskId, TopicPartition
from app.streams.stores import Base, memory_base
from app.streams.stores.base import Marks
from app.streams.stores.slices import finish
from app.streams.stores.specs import StoreSpec, VersionedSpec, WindowSpec
from app.streams.stores.store import Restored
from app.streams.stores.versioned import SUFFIX as VERSION
from app.streams.task import Task
from app.streams.topology.plan import source_topics
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology

DONE: Final = object()


class Feed(NamedTuple):
    """The next records of the task's topic number `topic` (modulo their number) come in."""

    topic: int
    records: int


class Process(NamedTuple):
    limit: int


class Step(Enum):
    """What happens to a task besides. What is not possible at the moment is left out."""

    SEAL = "commit() is called"
    SETTLE = "the transaction went through and applied() is called, or applying() brought to its end"
    BEGIN = "the transaction went through and applying() is called"
    ABORT = "the task is dropped, wherever it is, and made anew over the same bases"
    CRASH = "the process dies; a transaction under way is aborted"
    CRASH_COMMITTED = "the process dies after the transaction went through, before applied()"


class Slices(NamedTuple):
    """So many steps of applying()."""

    steps: int


Action: TypeAlias = Feed | Process | Slices | Step


class Ground(Protocol):
    """Where the committed rows of stores are."""

    def base(self, part: int, spec: StoreSpec) -> Base:
        """Of one sub-topology's store."""
        ...

    def crash(self, part: int) -> None:
        """What was applied must be there again."""
        ...


class Memory:
    """Bases that nothing happens to."""

    def __init__(self) -> None:
        self._kept: dict[str, Base] = {}

    def base(self, _part: int, spec: StoreSpec) -> Base:
        return self._kept.setdefault(spec.name, memory_base(spec))

    def crash(self, part: int) -> None: ...


@dataclass
class World:
    """Everything durable. bases: what is on each store's disk."""

    topology: Topology
    logs: dict[str, list[Row]] = field(default_factory=dict)
    offsets: dict[TopicPartition, Offset] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)
    ground: Ground = field(default_factory=Memory)

    def base(self, part: int, spec: StoreSpec) -> Base:
        found = self.bases[spec.name] = self.ground.base(part, spec)
        return found

    def publish(self, rows: Iterable[Outbound]) -> None:
        for row in map(Row._make, rows):
            self.logs.setdefault(row.topic, []).append(row)

    def end(self, topic: str) -> int:
        return len(self.logs.get(topic, ()))

    def inbound(self, topic: str, begin: int, end: int) -> list[Inbound]:
        rows = self.logs.get(topic, [])[begin:end]
        return [(begin + at, row.timestamp or 0, row.key, row.value, row.headers) for at, row in enumerate(rows)]

    def changelog_end(self, store: str) -> int:
        """Of a source topic that serves as changelog, only what was processed counts."""
        changelog = self.topology.changelog(store)
        if store in self.topology.restored_from:
            return self.offsets.get(TopicPartition(changelog, 0), Offset(0, "")).offset
        return self.end(changelog)

    def changelog_since(self, store: str, position: int) -> list[Restored]:
        rows = self.logs.get(self.topology.changelog(store), [])[position : self.changelog_end(store)]
        return [(row.key, row.value, row.timestamp or 0, row.headers) for row in rows]


class Life:
    """One sub-topology's task, through as many crashes as it takes."""

    def __init__(self, world: World, part: Subtopology) -> None:
        self.world = world
        self.part = part
        self.topics = source_topics(world.topology, part, {})
        self._epoch: list[Outbound] = []
        self._sealed: Commit | None = None
        self._sealed_rows: list[Outbound] = []
        self._applying: Iterator[None] | None = None
        self._fed: dict[str, int] = {}
        self.task = self._open()

    def act(self, action: Action) -> None:
        match action:
            case Feed():
                self._feed(self.topics[action.topic % len(self.topics)], action.records)
            case Process():
                self._epoch += self.task.process(0, action.limit)
            case Step.SEAL if self._sealed is None:
                finish(self.task.sealing(every=2))
                self._sealed, self._sealed_rows = self.task.commit(), self._epoch
                self._epoch = []
            case Slices():
                self._apply(action.steps)
            case Step.SETTLE if self._applying is not None:
                self._apply(None)
            case Step.SETTLE if self._sealed is not None:
                sealed = self._sealed
                self.task.applied(sealed, self._transact())
                self._sealed = None
            case Step.BEGIN if self._sealed is not None and self._applying is None:
                self._applying = self.task.applying(self._sealed, self._transact(), slice_ms=0)
            case Step.ABORT:
                self.task.abandon()
                self.task = self._open()
            case Step.CRASH:
                self._crash()
            case Step.CRASH_COMMITTED if self._sealed is not None and self._applying is None:
                self._transact()
                self._crash()
            case _:
                pass

    def _apply(self, count: int | None) -> None:
        """So many slices; None: to the end."""
        applying = self._applying
        while applying is not None and count != 0:
            count = None if count is None else count - 1
            if next(applying, DONE) is DONE:
                self._applying = applying = self._sealed = None

    def _crash(self) -> None:
        self.task.abandon()
        self.world.ground.crash(self.part.number)
        self.task = self._open()

    def finish(self) -> bool:
        """Take everything there is and commit it; whether anything moved."""
        moved = False
        self.act(Step.SETTLE)
        for topic in self.topics:
            self._feed(topic, self.world.end(topic))
        while any(len(queue) for queue in self.task.queues.values()):
            self.act(Process(1000))
            moved = True
        self.act(Step.SEAL)
        self.act(Step.SETTLE)
        return moved

    def _open(self) -> Task:
        """From what is durable: the stores' bases, the changelogs behind them, the committed offsets."""
        world = self.world
        self._epoch, self._sealed, self._sealed_rows, self._fed = [], None, [], {}
        self._applying = None
        number = self.part.number
        base = partial(world.base, number)
        task = Task(world.topology, self.part, TaskId(number, 0), partitions=lambda _topic: 1, bases=base)
        task.assign(self.topics)
        for store in task.stores:
            position = world.bases[store].marks().position or 0
            task.restore(store, world.changelog_since(store, position), world.changelog_end(store))
        for topic in self.topics:
            where = TopicPartition(topic, 0)
            if where in world.offsets:
                task.resume_from(topic, 0, world.offsets[where])
                self._fed[topic] = world.offsets[where].offset
        task.start(0)
        return task

    def _feed(self, topic: str, count: int) -> None:
        begin = self._fed.get(topic, 0)
        end = min(begin + count, self.world.end(topic))
        self.task.enqueue(topic, 0, self.world.inbound(topic, begin, end))
        # The ends of all logs are known, as they are from the first fetch on: the idle rule waits for what is there.
        self.task.note_fetch(topic, 0, end, self.world.end(topic))
        self._fed[topic] = end

    def _transact(self) -> dict[str, int]:
        """Outputs, changelog and offsets become visible together; gives the ends of the changelogs."""
        sealed, world = self._sealed, self.world
        assert sealed is not None
        world.publish([*self._sealed_rows, *sealed.outputs, *sealed.changelog])
        world.offsets.update(sealed.offsets)
        return {store: world.changelog_end(store) for store in self.task.stores}


def run(topology: Topology, inputs: Sequence[Row], actions: Sequence[Action], ground: Ground | None = None) -> World:
    """Each task in the order of the flow, with these actions and then to the end; around again where it is a circle."""
    world = World(topology, ground=ground or Memory())
    world.publish(inputs)
    lives = [Life(world, part) for part in in_order_of_flow(topology)]
    for life in lives:
        for action in actions:
            life.act(action)
        life.finish()
    moved = True
    while moved:
        # Each of them, whatever the one before did.
        moved = max([life.finish() for life in lives])
    return world


def in_order_of_flow(topology: Topology) -> list[Subtopology]:
    """Who writes an internal topic before who reads it, as far as that is possible."""
    left = [part for part in subtopologies(topology) if not part.is_global]
    done: list[Subtopology] = []
    internal = {topology.topic_name(topic) for topic in topology.internal}

    def waits(part: Subtopology) -> bool:
        wanted = internal & set(source_topics(topology, part, {}))
        return any(wanted & writes(topology, other) for other in left if other is not part)

    while left:
        part = next((each for each in left if not waits(each)), left[0])
        left.remove(part)
        done.append(part)
    return done


def writes(topology: Topology, part: Subtopology) -> set[str]:
    return {topology.topic_name(sink.topic) for sink in part.sinks(topology) if isinstance(sink.topic, str)}


def outcome(world: World) -> dict[str, Any]:
    """What must not depend on how it came about: records of all topics that are no changelogs, the last row of each
    changelog key, and what is in the stores."""
    topology = world.topology
    changelogs = {topology.changelog(store) for store in topology.stores}
    found: dict[str, Any] = {topic: rows for topic, rows in world.logs.items() if topic not in changelogs}
    for topic in changelogs:
        found[topic] = {row.key: row for row in world.logs.get(topic, [])}
    for store, base in world.bases.items():
        found[f"store {store}"] = content(topology.stores[store], base)
    return found


def content(spec: StoreSpec, base: Base) -> tuple[list[tuple[bytes, bytes]], Marks]:
    """A store's rows, without what nobody can see."""
    rows, marks = list(base.scan(None, None)), base.marks()._replace(position=None)
    if isinstance(spec, WindowSpec) and spec.retain_duplicates:
        # Numbers that only tell doubles apart: those of rows that have expired may be given again or not.
        return [(row[:-4], value) for row, value in rows], marks._replace(row_sequence=0)
    if isinstance(spec, VersionedSpec):
        # Versions beyond the history go when there is an occasion, and a crash misses some.
        start = marks.stream_time - spec.history
        return [row for row, follower in zip_longest(rows, rows[1:]) if not is_over(row, follower, start)], marks
    return rows, marks


def is_over(row: tuple[bytes, bytes], follower: tuple[bytes, bytes] | None, start: int) -> bool:
    """Whether a version ends, or a deletion begins, before the history does."""
    key = row[0][:-VERSION]
    if follower is not None and follower[0][:-VERSION] == key:
        return int.from_bytes(follower[0][-VERSION:], "big") <= start
    return row[1][:1] != b"\x01" and int.from_bytes(row[0][-VERSION:], "big") <= start
