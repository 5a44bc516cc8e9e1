"""Run a topology in a test: records in, records out, no broker and no clock (P1-P5; Java: TopologyTestDriver).

Without `partitions` it behaves as Java's: each topic has one partition, and all sub-topologies form one task with one
stream time. With partition counts the topology runs as it would in a cluster: a task per partition, repartition
topics in between.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from app.streams.config import Verdict
from app.streams.model import Commit, Headers, Inbound, Offset, Outbound, Row, TaskId, TopicPartition
from app.streams.stores import memory_base
from app.streams.task import Task
from app.streams.testing.pipes import InputTopic, OutputTopic
from app.streams.testing.topics import Topics
from app.streams.topology.nodes import SourceNode
from app.streams.topology.plan import plan, source_topics
from app.streams.topology.subtopologies import Subtopology, subtopologies, whole
from app.streams.topology.topology import Topology

if TYPE_CHECKING:
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")

GLOBAL = TaskId(-1, 0)


class CommitEvery(enum.Enum):
    """When the driver commits by itself."""

    RECORD = "record"  # after each record and punctuation, as Java's driver
    EVENT = "event"  # once all records of one `send` or `advance` are through
    NEVER = "never"  # only in `commit`, `restart` and `close`


class Driver:
    """partitions: of each topic the topology reads or partitions its output by; None for the single-partition mode.

    now: where the wall clock starts, in ms. It moves only in `advance`.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        partitions: Mapping[str, int] | None = None,
        now: int = 0,
        commit_every: CommitEvery = CommitEvery.RECORD,
    ) -> None:
        # All input there is comes through `send`, so no task has to wait for more; final results come at once, as in
        # Java's driver, unless the configuration says otherwise.
        topology.validate()
        config = topology.config
        self.topology = _with_config(
            topology,
            window_emit_interval=config.window_emit_interval or 0,
            outer_join_emit_interval=config.outer_join_emit_interval or 0,
        )
        self.now = now
        self.sent: list[Row] = []
        self.topics = Topics(plan(topology, partitions).partitions if partitions is not None else None)
        self._single = partitions is None
        self._every = commit_every
        self._offsets: dict[TopicPartition, Offset] = {}
        self._pattern_offsets: dict[str, int] = {}
        self._patterns: dict[str, str] = {}
        self._dropped_before = 0
        self._pending: set[TaskId] = set()
        self._tasks: list[Task] = []
        self._global: Task | None = None
        self._readers: dict[TopicPartition, Task] = {}
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # topics

    def input(self, topic: str, key: Serde[K], value: Serde[V], *, start: int = 0, step: int = 0) -> InputTopic[K, V]:
        """A topic to send to. Records without a timestamp get `start`, `start + step`, …"""
        return InputTopic(self, topic, key, value, start, step)

    def output(self, topic: str, key: Serde[K], value: Serde[V]) -> OutputTopic[K, V]:
        """A topic to read from, from its beginning."""
        return OutputTopic(self, topic, key, value)

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp: int,
        headers: Headers = (),
        *,
        partition: int | None = None,
    ) -> None:
        """One record as bytes, and everything that follows from it."""
        self._check_read(topic)
        self._deliver(Row(topic, partition, key, value, timestamp, headers))
        self._run()

    def advance(self, milliseconds: int) -> None:
        """Move the wall clock; wall-clock punctuators that are due run."""
        self.now += milliseconds
        self._run(wake=True)

    # state

    def store(self, name: str, partition: int = 0) -> Any:
        """A store by name, global ones too."""
        for task in [*self._tasks, *([self._global] if self._global is not None else [])]:
            if name in task.stores and task.id.partition == partition:
                return task.stores[name]
        raise KeyError(
            f"no store named {name!r} in partition {partition}; there are: {', '.join(self.store_names()) or 'none'}"
        )

    def store_names(self) -> list[str]:
        everything = [*self._tasks, *([self._global] if self._global is not None else [])]
        return sorted({name for task in everything for name in task.stores})

    @property
    def tasks(self) -> list[Task]:
        return list(self._tasks)

    @property
    def dropped(self) -> int:
        """Records dropped since the beginning, over restarts (N9)."""
        everything = [*self._tasks, *([self._global] if self._global is not None else [])]
        return self._dropped_before + sum(task.ctx.dropped_records for task in everything)

    def commit(self) -> None:
        """Commit all tasks, and process what their caches hand on."""
        for task in self._tasks:
            self._commit(task)
        self._run()

    def restart(self) -> None:
        """Stop after a commit, lose the disk and all memory, start anew from changelogs and committed offsets."""
        self.commit()
        self.close()
        self._dropped_before = self.dropped
        self._open()

    def close(self) -> None:
        for task in self._tasks:
            task.close()
        if self._global is not None:
            self._global.close()

    # opening

    def _open(self) -> None:
        self._readers = {}
        self._global = self._open_global()
        self._tasks = [self._open_task(part, number) for part, number in self._task_ids()]

    def _task_ids(self) -> list[tuple[Subtopology, int]]:
        if self._single:
            return [(whole(self.topology, global_part=False), 0)]
        found = []
        for part in subtopologies(self.topology):
            if not part.is_global:
                topics = source_topics(self.topology, part, self._known())
                count = max((self.topics.partitions(topic) for topic in topics), default=0)
                found += [(part, number) for number in range(count)]
        return found

    def _known(self) -> dict[str, int]:
        return {name: self.topics.partitions(name) for name in self.topics.names()} | dict(self.topics.counts)

    def _open_global(self) -> Task | None:
        part = whole(self.topology, global_part=True)
        if not part.nodes:
            return None
        # As in Java's driver, whatever the configuration: what a global topic cannot decode is skipped.
        lenient = _with_config(self.topology, deserialization_handler=_skip_silently, max_task_idle=-1)
        task = Task(lenient, part, GLOBAL, partitions=self.topics.partitions, bases=memory_base)
        task.assign(source_topics(self.topology, part, {}))
        task.start(self.now)
        for topic in source_topics(self.topology, part, {}):
            for partition in range(self.topics.partitions(topic)):
                for record in self.topics.read(topic, partition):
                    self._feed_global(task, topic, record)
        task.ctx.dropped_records = 0
        return task

    def _open_task(self, part: Subtopology, number: int) -> Task:
        task_id = TaskId(part.number, number)
        idle_free = _with_config(self.topology, max_task_idle=-1)
        kept = {} if self._global is None else self._global.stores
        task = Task(idle_free, part, task_id, partitions=self.topics.partitions, bases=memory_base, global_stores=kept)
        for topic in source_topics(self.topology, part, self._known()):
            if number < self.topics.partitions(topic):
                self._assign(task, topic)
        for name in task.stores:
            task.restore(name, self.topics.restorable(self.topology.changelog(name), number))
        for where, offset in self._offsets.items():
            if where in task.queues:
                task.resume_from(where.topic, where.partition, offset)
        task.start(self.now)
        return task

    def _assign(self, task: Task, topic: str) -> None:
        task.assign([topic])
        self._readers[TopicPartition(topic, task.id.partition)] = task
        if self._single:
            self._share_pattern(task, topic)

    def _share_pattern(self, task: Task, topic: str) -> None:
        """In Java's driver all topics of a pattern are one partition: one queue, one counter, one partition time."""
        for source in task.part.sources(self.topology):
            if source.pattern is not None and source.pattern.fullmatch(topic):
                pattern = source.pattern.pattern
                others = [name for name, known in self._patterns.items() if known == pattern and name != topic]
                self._patterns[topic] = pattern
                task.share(topic, next((name for name in others if TopicPartition(name, 0) in task.queues), topic))

    # running

    def _deliver(self, row: Row) -> None:
        """Write a row to its topic, and hand it to whoever reads that."""
        pattern = self._patterns.get(row.topic)
        if self._single and pattern is None:
            pattern = self._discover(row.topic)
        offset = None
        if pattern is not None:
            offset = self._pattern_offsets.get(pattern, 0)
            self._pattern_offsets[pattern] = offset + 1
        partition, record = self.topics.append(row, self.now, offset=offset)
        reader = self._readers.get(TopicPartition(row.topic, partition))
        if reader is not None:
            reader.enqueue(row.topic, partition, [record])
        if self._global is not None and TopicPartition(row.topic, 0) in self._global.queues:
            self._feed_global(self._global, row.topic, record)

    def _discover(self, topic: str) -> str | None:
        """A topic that is new, but that a pattern matches."""
        if TopicPartition(topic, 0) in self._readers:
            return None
        for task in self._tasks:
            for source in task.part.sources(self.topology):
                if source.pattern is not None and source.pattern.fullmatch(topic) and not self._is_internal(topic):
                    self._assign(task, topic)
                    return source.pattern.pattern
        return None

    def _is_internal(self, topic: str) -> bool:
        return any(self.topology.topic_name(name) == topic for name in self.topology.internal)

    def _feed_global(self, task: Task, topic: str, record: Inbound) -> None:
        task.enqueue(topic, 0, [record])
        task.process(self.now)
        task.applied(task.commit())

    def _run(self, *, wake: bool = False) -> None:
        """Until no task has anything left to do."""
        moved = True
        while moved:
            moved = False
            for task in self._tasks:
                if wake or any(len(queue) for queue in task.queues.values()):
                    moved = True
                    self._publish(task.process(self.now, limit=0 if wake else 1))
                    self._pending.add(task.id)
                    if self._every is CommitEvery.RECORD:
                        self._commit(task)
            wake = False
            if not moved and self._every is CommitEvery.EVENT and self._pending:
                for task in self._tasks:
                    self._commit(task)
                moved = any(len(queue) for task in self._tasks for queue in task.queues.values())

    def _commit(self, task: Task) -> None:
        self._pending.discard(task.id)
        commit: Commit = task.commit()
        self._publish([*commit.outputs, *commit.changelog])
        self._offsets.update(commit.offsets)
        task.applied(commit)

    def _publish(self, rows: Iterable[Outbound]) -> None:
        """Rows of one step: first all are on record, then those the topology reads itself are handed to it."""
        for row in map(Row._make, rows):
            self.sent.append(row)
            self._deliver(row)

    def _check_read(self, topic: str) -> None:
        read = {name for name in self._readers if name.topic == topic}
        if read or (self._global is not None and TopicPartition(topic, 0) in self._global.queues):
            return
        if any(isinstance(node, SourceNode) and node.pattern is not None for node in self.topology.nodes.values()):
            return
        known = sorted({where.topic for where in self._readers})
        raise KeyError(f"the topology does not read topic {topic!r}; it reads: {', '.join(known)}")


def _with_config(topology: Topology, **changes: Any) -> Topology:
    """The same topology under a changed configuration."""
    copy = Topology(replace(topology.config, **changes))
    for name, value in vars(topology).items():
        if name != "config":
            setattr(copy, name, value)
    return copy


def _skip_silently(_error: Any, _cause: BaseException, _letters: tuple[Row, ...]) -> Any:
    return Verdict(True)
