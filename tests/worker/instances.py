"""Instances of a topology with real tasks in memory: what workers hold, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.streams import Builder, JoinWindows, Materialized, Sessions, StreamJoined, StreamsConfig, Topology, Tumbling
from app.streams.context import Context
from app.streams.hashing import partition_for
from app.streams.model import Offset, TaskId, TopicPartition
from app.streams.serdes import int64, utf8
from app.streams.stores import Base, memory_base, open_store
from app.streams.stores.specs import StoreSpec
from app.streams.task import Task
from app.streams.topology.subtopologies import subtopologies
from app.worker.held import HeldTask, TaskPhase

PARTITIONS = 4


def counting() -> Topology:
    """Topic `in` counted per key: as a table, in windows of 10 s, in sessions. `facts` is a versioned table, `world` a
    global one; the join keeps buffers."""
    builder = Builder(StreamsConfig(application_id="app", max_task_idle=-1))
    stream = builder.stream("in", key=utf8, value=int64)
    grouped = stream.group_by_key()
    grouped.count(Materialized("counts"))
    grouped.windowed_by(Tumbling(10_000)).count(Materialized("windows"))
    grouped.windowed_by(Sessions(5_000)).count(Materialized("sessions"))
    stream.left_join(
        stream.filter(lambda _key, value: value > 0),
        lambda left, _right: left,
        JoinWindows.within(10),
        StreamJoined(store_name="meet"),
    )
    builder.table("facts", Materialized("facts", versioned=1_000_000), key=utf8, value=int64)
    builder.global_table("world", Materialized("world"), key=utf8, value=int64)
    return builder.build()


def key_of(partition: int, nth: int = 0) -> str:
    """A key that lies in this partition."""
    fitting = (
        f"k{number}" for number in range(10_000) if partition_for(f"k{number}".encode(), PARTITIONS) == partition
    )
    return [key for key, _ in zip(fitting, range(nth + 1), strict=False)][-1]


def part_of(topology: Topology, store: str) -> int:
    return next(part.number for part in subtopologies(topology) if store in part.stores(topology))


@dataclass(frozen=True)
class Other:
    """An instance as the assignment tells of it."""

    process: str
    address: str | None = None
    active: tuple[TaskId, ...] = ()
    standby: tuple[TaskId, ...] = ()


class Instance:
    """`app.worker.queries.Holding` over tasks that the test drives."""

    def __init__(self, process: str, topology: Topology) -> None:
        self.self_process = process
        self.topology = topology
        self.paused = False
        self.tasks: dict[TaskId, HeldTask] = {}
        self.others: dict[str, Other] = {}
        self.worlds: dict[str, Any] = {}
        self.counted = True

    def held(self) -> Mapping[TaskId, HeldTask]:
        return self.tasks

    def peers(self) -> Mapping[str, Other]:
        return self.others

    def global_stores(self) -> Mapping[str, Any]:
        return self.worlds

    def partitions(self, topic: str) -> int | None:
        return PARTITIONS if self.counted else None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    # driving

    def take(self, store: str, partition: int, phase: TaskPhase = TaskPhase.RUNNING) -> HeldTask:
        """The task that has this partition of a store, empty."""
        number = part_of(self.topology, store)
        part = next(part for part in subtopologies(self.topology) if part.number == number)
        bases: dict[str, Base] = {}

        def base(spec: StoreSpec) -> Base:
            return bases.setdefault(spec.name, memory_base(spec))

        task = Task(self.topology, part, TaskId(number, partition), partitions=self.partitions, bases=base)
        topics = [topic for source in part.sources(self.topology) for topic in source.topics]
        task.assign(topics)
        sources = tuple(TopicPartition(topic, partition) for topic in topics)
        held = HeldTask(task.id, task, sources, phase=phase)
        if phase is TaskPhase.RUNNING:
            for source in sources:
                task.resume_from(*source, Offset(0, ""))
            task.start(0)
        self.tasks[task.id] = held
        return held

    def load_world(self, rows: Mapping[str, int]) -> None:
        spec = self.topology.globals["world"].spec
        store = open_store(
            spec, memory_base(spec), Context("app", TaskId(9, 0)), subject="world", changelog=None, partition=0
        )
        store.restore([(key.encode(), int64.serializer("")(value), 0, ()) for key, value in rows.items()], len(rows))
        self.worlds["world"] = store


def feed(held: HeldTask, topic: str, rows: Iterable[tuple[str, int, int]], *, commit: bool = True) -> None:
    """(key, value, timestamp) as the next records of the task's partition."""
    task, partition = held.task, held.id.partition
    first = task.queues[TopicPartition(topic, partition)].position or 0
    inbound = [
        (first + at, timestamp, key.encode(), int64.serializer("")(value), ())
        for at, (key, value, timestamp) in enumerate(rows)
    ]
    task.enqueue(topic, partition, inbound)
    task.process(0)
    if commit:
        sealed = task.commit()
        ends: dict[str, int] = {}
        for row in sealed.changelog:
            store = row.topic.removeprefix("app-").removesuffix("-changelog")
            before = task.stores[store].committed_rows.marks().position or 0
            ends[store] = ends.get(store, before) + 1
        task.applied(sealed, ends)
