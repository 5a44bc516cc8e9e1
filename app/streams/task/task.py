"""One partition of one sub-topology: takes records in order of time, walks the graph, and says what is to be written.

It never waits, reads no clock and knows no client: time and records come in as arguments, rows go out as results.

    created ── restore(…)* ──▶ start(now) ──▶ process(now)* ⇄ commit() … applied(commit) ──▶ close()

`process` may go on between `commit` and the end of `applied`: reads look through what is sealed. An abort is a dropped
task (`abandon`), and a new one over the same bases.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

from app.streams.context import Context
from app.streams.errors import ProcessingError, ProductionError, RecordError, TaskMisused
from app.streams.model import Commit, Forward, Inbound, Offset, Outbound, Row, TaskId, TopicPartition
from app.streams.serdes import offset_metadata
from app.streams.stores.slices import ALL, WHOLE, finish
from app.streams.stores.store import Restored
from app.streams.task.compile import compile_steps
from app.streams.task.failures import Failures, node_of, origin_of
from app.streams.task.intake import Intake
from app.streams.task.open import Bases, open_queues, open_stores
from app.streams.task.queue import PartitionQueue
from app.streams.task.read_only import ReadOnlyStore
from app.streams.task.schedules import Schedules
from app.streams.task.statistics import TaskStatistics
from app.streams.topology.nodes import SinkNode
from app.streams.topology.runtime import TaskParts
from app.streams.topology.subtopologies import Subtopology
from app.streams.topology.topology import Topology


class Task:
    """topics: the topics its sources read, patterns resolved. partitions: how many a topic has, for partitioners.

    globals: open global stores by name, for reading. bases: makes the ground a store stands on.
    """

    def __init__(
        self,
        topology: Topology,
        part: Subtopology,
        task_id: TaskId,
        *,
        partitions: Callable[[str], int | None],
        bases: Bases,
        global_stores: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = task_id
        self.topology = topology
        self.part = part
        self.ctx = Context(topology.config.application_id, task_id)
        self._failures = Failures(self.ctx, topology.config)
        self.stores: dict[str, Any] = open_stores(topology, part, self.ctx, task_id.partition, bases)
        self.queues: dict[TopicPartition, PartitionQueue] = {}
        # Input offsets the committed rows stand for: the next to be read.
        self.committed: dict[TopicPartition, int] = {}
        self._partitions = partitions
        self._counts: dict[str, int] = {}
        """Of partitions, since the last call: none are heard of while it runs, and who knows them takes as long to say
        so as a record takes."""
        self._global_stores = {name: ReadOnlyStore(store) for name, store in (global_stores or {}).items()}
        self._metadata: dict[str, int] = {}
        self._remembered: dict[str, tuple[Callable[[], int], int]] = {}
        self._schedules = Schedules(self.ctx, self._failures)
        self._intake = Intake(self.ctx, self._schedules, self._failures, topology.config.max_task_idle)
        self._closers: list[Callable[[], None]] = []
        self._steps: dict[str, Forward] = {}
        self._names: dict[int, str] = {}
        self._started = False
        self._sealing: Iterator[None] | None = None
        self._sealed: Commit | None = None
        self._applying: Generator[None, None, None] | None = None
        self._commits = 0
        self.processed = 0
        self.commit_requested = False

    # before it runs

    def assign(self, topics: Iterable[str]) -> None:
        """The topics it reads, one partition of each: its own. May grow while it runs, when a pattern finds more."""
        for queue in open_queues(self.topology, self.part, self.id.partition, topics, self._failures):
            where = TopicPartition(queue.topic, queue.partition)
            if where not in self.queues:
                self.queues[where] = queue
                self._intake.queues.append(queue)
                queue.step = self._steps.get(queue.node, queue.step)

    def release(self, topic: str) -> None:
        """A topic that its pattern finds no more: what waits of it is dropped, and nobody waits for it."""
        queue = self.queues.pop(TopicPartition(topic, self.id.partition))
        if queue not in self.queues.values():
            self._intake.queues.remove(queue)

    def share(self, topic: str, other: str) -> None:
        """Let two topics of a pattern wait in one queue, as they do in Java's test driver."""
        first = self.queues[TopicPartition(other, self.id.partition)]
        mine = self.queues[TopicPartition(topic, self.id.partition)]
        if not first.shared:
            first.share()
        if mine is not first:
            self.queues[TopicPartition(topic, self.id.partition)] = first
            self._intake.queues.remove(mine)

    def resume_from(self, topic: str, partition: int, committed: Offset) -> None:
        """Where a partition was committed: its time, and what nodes saved with it (reference 2.7).

        Once for each partition, before its first record; a task that is kept over a rebalance goes on from
        `position`."""
        queue = self.queues[TopicPartition(topic, partition)]
        if queue.position is not None and not queue.shared:
            raise TaskMisused(
                f"task {self.id} goes on from {topic}/{partition}@{queue.position}: it cannot resume there"
            )
        queue.position = committed.offset
        self.committed[TopicPartition(topic, partition)] = committed.offset
        saved = offset_metadata.decode(committed.metadata)
        if saved is None:
            return
        queue.time = max(queue.time, saved.partition_time)
        self.ctx.stream_time = max(self.ctx.stream_time, saved.partition_time)
        for key, value in saved.processor.items():
            self._metadata[key] = max(value, self._metadata.get(key, value))

    def position(self, topic: str, partition: int) -> int | None:
        """The offset to fetch next, None where nothing was committed or read."""
        return self.queues[TopicPartition(topic, partition)].position

    def restore(self, store: str, rows: Iterable[Restored], position: int | None = None) -> None:
        """Rebuild a store from its changelog; only before `start`."""
        if self._started:
            raise TaskMisused(f"task {self.id} has started: store {store} can no longer be restored")
        self.stores[store].restore(rows, position)

    def start(self, now: int) -> None:
        """Compile the topology and initialize its processors; after restoring."""
        if self._started:
            raise TaskMisused(f"task {self.id} has started already")
        self.ctx.now = now
        config = self.topology.config
        parts = TaskParts(
            self.id,
            config,
            self.ctx,
            self.stores,
            self._global_stores,
            self._metadata,
            self._count,
            self._schedules.add,
            self._request_commit,
            self._closers.append,
            self._remembered,
        )
        # What stream time has called for in an earlier life is not called again.
        self._schedules.resumed = config.remember_times and self.ctx.stream_time >= 0
        self._steps = compile_steps(self.topology, self.part, parts, self._failures)
        for name, step in self._steps.items():
            self._names.setdefault(id(step), name)
        for queue in self._intake.queues:
            queue.step = self._steps[queue.node]
        self._schedules.resumed = False
        self._started = True

    # records in, rows out

    def enqueue(self, topic: str, partition: int, rows: Iterable[Inbound]) -> None:
        """Records of one partition, in offset order; bytes stay bytes until a record is taken."""
        self.queues[TopicPartition(topic, partition)].add(topic, rows)

    def note_fetch(self, topic: str, partition: int, position: int, end: int) -> None:
        """What a fetch told of a partition: the next offset to read, past markers too, and the end of the log.

        After `enqueue` of what it brought; also when it brought nothing."""
        queue = self.queues[TopicPartition(topic, partition)]
        if queue.position != position:
            # Over markers of transactions, with no record left to take: worth a commit, or what asks for the lag of
            # the group would for ever see some. It writes offsets only, so no marker follows from it.
            if queue.position is not None and not len(queue):
                self._intake.moved = True
            queue.position = position
        queue.lag = max(end - position, 0)

    def process(self, now: int, limit: int = 1000) -> list[Outbound]:
        """Take up to `limit` records and give what they, and punctuators that are due, want sent, in order. Fewer are
        taken where that is much: a record of a join may make thousands."""
        if not self._started:
            raise TaskMisused(f"task {self.id} was not started")
        if self._sealing is not None:
            raise TaskMisused(f"task {self.id} is being sealed: `commit` ends that")
        ctx = self.ctx
        ctx.now = now
        self._counts.clear()
        try:
            if now >= self._schedules.wall.due and self._schedules.fire(self._schedules.wall, now):
                self._intake.moved = True
            self.processed += self._intake.take(now, limit)
        except RecordError:
            raise
        except Exception as cause:
            raise self._fault(cause) from cause
        return self._drain()

    def wake_at(self) -> int:
        """When to call `process` next although nothing came in: for a punctuator or an idle rule that ends (ms)."""
        idle = self.topology.config.max_task_idle
        ends = [queue.idle_since + idle for queue in self._intake.queues if queue.idle_since is not None and idle > 0]
        # One that had ended at the last call has said what it has to say.
        return min([self._schedules.wall.due, *(end for end in ends if end > self.ctx.now)])

    def _fault(self, cause: Exception) -> RecordError:
        """What a node raised, with the record it raised it for."""
        ctx = self.ctx
        node = node_of(cause.__traceback__, self._names) or "an unknown node"
        is_sink = isinstance(self.topology.nodes.get(node), SinkNode)
        fault = ProductionError if is_sink else ProcessingError
        return fault(cause, origin=origin_of(ctx.topic, ctx.partition, ctx.offset), node=node, task=str(self.id))

    # commits

    @property
    def needs_commit(self) -> bool:
        """Whether anything happened that a commit would make durable."""
        return self._intake.moved

    def commit(self) -> Commit:
        """Seal what happened since the last commit, or the rest of it after `sealing`; `applied` must follow before the
        next one."""
        slices = self._sealing or self.sealing(ALL)
        finish(slices)
        self._sealing = None
        if self._sealed is None:
            raise TaskMisused(f"task {self.id} could not be sealed, and cannot go on")
        return self._sealed

    def sealing(self, every: int = 250) -> Iterator[None]:
        """What `commit` will do, in slices of so many rows; nothing may be processed before it has ended, for values
        are what they are when they are serialized."""
        if self._sealed is not None:
            raise TaskMisused(f"task {self.id}: commit {self._sealed.number} is still under way")
        self._counts.clear()
        self._sealing = self._seal(every)
        return self._sealing

    def _seal(self, every: int) -> Iterator[None]:
        # In the order of the first node that uses each: flushing forwards downstream, into stores that come later.
        for store in self.stores.values():
            try:
                yield from store.flushing(every)
            except RecordError:
                raise
            except Exception as cause:
                raise self._fault(cause) from cause
        changelog: list[Row] = []
        for name, store in self.stores.items():
            try:
                changelog += yield from store.sealing(every)
            except TaskMisused:
                raise
            except Exception as cause:
                origin, node = "a change since the last commit", f"store {name}"
                raise ProcessingError(cause, origin=origin, node=node, task=str(self.id)) from cause
        offsets = self._offsets()
        self._commits += 1
        self._intake.moved = self.commit_requested = False
        self._sealed = Commit(self.id, self._commits, tuple(self._drain()), tuple(changelog), offsets)

    def _offsets(self) -> dict[TopicPartition, Offset]:
        metadata = self._metadata
        for name, (read, first) in self._remembered.items():
            value = read()
            if value == first:
                metadata.pop(name, None)
            else:
                metadata[name] = value
        # A broker takes 4 KB; with more operators than that their times are forgotten in a restart, as Java's are.
        if len(offset_metadata.encode(0, metadata)) > offset_metadata.MAX_LENGTH:
            metadata = {name: value for name, value in metadata.items() if name not in self._remembered}
        return {
            where: Offset(offset, offset_metadata.encode(queue.time, metadata))
            for where, queue in self.queues.items()
            if (offset := queue.committable()) is not None
        }

    @property
    def dirty_rows(self) -> int:
        """Rows of all stores that the next commit would seal."""
        return sum(store.dirty for store in self.stores.values())

    def applied(self, commit: Commit, positions: Mapping[str, int] | None = None) -> None:
        """`applying`, all of it at once."""
        finish(self.applying(commit, positions, WHOLE))

    def applying(
        self, commit: Commit, positions: Mapping[str, int] | None = None, slice_ms: float = 2.0
    ) -> Iterator[None]:
        """The commit is durable: its changes enter the stores, in slices, a yield between them. positions: the
        changelog position of each store with it; of a store restored from a source topic the task knows it.

        Records may be processed between two slices; the next commit has to wait for the last one. Each store changes
        in one piece with its position. So if this ends early (`abandon`, a crash), some stores are at the commit and
        some before it, and each is led on by its own changelog.
        """
        if commit is not self._sealed or self._applying is not None:
            raise TaskMisused(f"task {self.id}: commit {commit.number} is not the one under way")
        self._applying = self._apply(commit, positions or {}, slice_ms)
        return self._applying

    def _apply(self, commit: Commit, positions: Mapping[str, int], slice_ms: float) -> Generator[None, None, None]:
        for at, (name, store) in enumerate(self.stores.items()):
            if at:
                yield
            yield from store.applying(self._position(name, commit, positions), slice_ms)
        self.committed.update((where, committed.offset) for where, committed in commit.offsets.items())
        self._sealed = self._applying = None

    def _position(self, store: str, commit: Commit, positions: Mapping[str, int]) -> int | None:
        source = self.topology.restored_from.get(store)
        if source is None:
            return positions.get(store)
        committed = commit.offsets.get(TopicPartition(source, self.id.partition))
        return positions.get(store) if committed is None else committed.offset

    def abandon(self) -> None:
        """Drop what was not committed, with the task: processors close what they hold, nothing is sent.

        A commit that is being applied is left where it is, and a store in the middle of it is put back.
        """
        if self._applying is not None:
            self._applying.close()
        self._started = False
        self.ctx.outputs.clear()
        self.close()

    def close(self) -> None:
        """Let processors close what they hold: each of them, whatever another one raises."""
        failed: list[Exception] = []
        while self._closers:
            try:
                self._closers.pop()()
            except Exception as error:  # noqa: BLE001  # user code; raised below
                failed.append(error)
        if failed:
            raise failed[0] if len(failed) == 1 else ExceptionGroup(f"task {self.id} could not be closed", failed)

    def statistics(self) -> TaskStatistics:
        return TaskStatistics(
            self.id,
            self.processed,
            self.ctx.dropped_records,
            self.ctx.stream_time,
            {where: len(queue) for where, queue in self.queues.items()},
            {where: queue.lag for where, queue in self.queues.items()},
            tuple(store.statistics() for store in self.stores.values()),
        )

    def _count(self, topic: str) -> int | None:
        if (count := self._counts.get(topic)) is None and (count := self._partitions(topic)) is not None:
            self._counts[topic] = count
        return count

    def _request_commit(self) -> None:
        self.commit_requested = True

    def _drain(self) -> list[Outbound]:
        rows = self.ctx.outputs[:]
        self.ctx.outputs.clear()
        return rows
