"""One partition of one sub-topology: takes records in order of time, walks the graph, and says what is to be written.

It never waits, reads no clock and knows no client: time and records come in as arguments, rows go out as results.

    created ── restore(…)* ──▶ start(now) ──▶ process(now)* ⇄ commit() … applied(commit) ──▶ close()

`process` may go on between `commit` and `applied`: reads look through what is sealed. An abort is a dropped task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from app.streams.context import Context
from app.streams.errors import ProcessingError, ProductionError, RecordError, TaskMisused
from app.streams.model import Commit, Forward, Inbound, Offset, Row, TaskId, TopicPartition
from app.streams.serdes import offset_metadata
from app.streams.stores.store import Restored, StoreStatistics
from app.streams.task.compile import compile_steps
from app.streams.task.failures import Failures, node_of
from app.streams.task.idling import may_process
from app.streams.task.open import Bases, open_queues, open_stores
from app.streams.task.punctuation import Punctuator, Punctuators, next_slot
from app.streams.task.queue import PartitionQueue
from app.streams.task.read_only import ReadOnlyStore
from app.streams.topology.nodes import SinkNode
from app.streams.topology.runtime import Clock, TaskParts
from app.streams.topology.subtopologies import Subtopology
from app.streams.topology.topology import Topology


@dataclass(frozen=True, slots=True)
class TaskStatistics:
    """A snapshot. Times in ms; buffered and lag per source partition (lag None: not known yet)."""

    task: TaskId
    processed: int
    dropped: int
    stream_time: int
    buffered: Mapping[TopicPartition, int]
    lag: Mapping[TopicPartition, int | None]
    stores: tuple[StoreStatistics, ...] = field(default=())


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
        self._order: list[PartitionQueue] = []
        self._partitions = partitions
        self._global_stores = {name: ReadOnlyStore(store) for name, store in (global_stores or {}).items()}
        self._metadata: dict[str, int] = {}
        self._stream_clock = Punctuators()
        self._wall_clock = Punctuators()
        self._closers: list[Callable[[], None]] = []
        self._steps: dict[str, Forward] = {}
        self._names: dict[int, str] = {}
        self._started = False
        self._dirty = False
        self._sealed: Commit | None = None
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
                self._order.append(queue)
                queue.step = self._steps.get(queue.node, queue.step)

    def share(self, topic: str, other: str) -> None:
        """Let two topics of a pattern wait in one queue, as they do in Java's test driver."""
        first = self.queues[TopicPartition(other, self.id.partition)]
        mine = self.queues[TopicPartition(topic, self.id.partition)]
        if not first.shared:
            first.share()
        if mine is not first:
            self.queues[TopicPartition(topic, self.id.partition)] = first
            self._order.remove(mine)

    def resume_from(self, topic: str, partition: int, committed: Offset) -> None:
        """Where a partition was committed: its time, and what nodes saved with it (reference 2.7)."""
        queue = self.queues[TopicPartition(topic, partition)]
        queue.position = committed.offset
        saved = offset_metadata.decode(committed.metadata)
        if saved is None:
            return
        queue.time = max(queue.time, saved.partition_time)
        self.ctx.stream_time = max(self.ctx.stream_time, saved.partition_time)
        for key, value in saved.processor.items():
            self._metadata[key] = max(value, self._metadata.get(key, value))

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
            self._partitions,
            self._schedule,
            self._request_commit,
            self._closers.append,
        )
        self._steps = compile_steps(self.topology, self.part, parts, self._failures)
        for name, step in self._steps.items():
            self._names.setdefault(id(step), name)
        for queue in self._order:
            queue.step = self._steps[queue.node]
        self._started = True

    # records in, rows out

    def enqueue(self, topic: str, partition: int, rows: Iterable[Inbound]) -> None:
        """Records of one partition, in offset order; bytes stay bytes until a record is taken."""
        self.queues[TopicPartition(topic, partition)].add(topic, rows)

    def note_fetch(self, topic: str, partition: int, position: int, end: int) -> None:
        """What a fetch told of a partition: the next offset to read, past markers too, and the end of the log."""
        queue = self.queues[TopicPartition(topic, partition)]
        if not queue.rows and queue.head is None and queue.position != position:
            self._dirty = self._dirty or queue.position is not None
            queue.position = position
        queue.lag = max(end - position, 0)

    def process(self, now: int, limit: int = 1000) -> list[Row]:
        """Take up to `limit` records and give what they, and punctuators that are due, want sent, in order."""
        if not self._started:
            raise TaskMisused(f"task {self.id} was not started")
        ctx = self.ctx
        ctx.now = now
        try:
            if now >= self._wall_clock.due:
                self._fire(self._wall_clock, now)
            self.processed += self._take(now, limit)
        except RecordError:
            raise
        except Exception as cause:
            node = node_of(cause.__traceback__, self._names) or "an unknown node"
            origin = f"record {ctx.topic}/{ctx.partition}@{ctx.offset}" if ctx.topic is not None else "a punctuation"
            is_sink = isinstance(self.topology.nodes.get(node), SinkNode)
            fault = ProductionError if is_sink else ProcessingError
            raise fault(cause, origin=origin, node=node, task=str(self.id)) from cause
        return self._drain()

    def wake_at(self) -> int:
        """When to call `process` next although nothing came in: for a punctuator or an idle rule that ends (ms)."""
        idle = self.topology.config.max_task_idle
        ends = [queue.idle_since + idle for queue in self._order if queue.idle_since is not None and idle > 0]
        return min([self._wall_clock.due, *ends])

    # commits

    @property
    def needs_commit(self) -> bool:
        """Whether anything happened that a commit would make durable."""
        return self._dirty

    def commit(self) -> Commit:
        """Seal what happened since the last commit; `applied` must follow before the next one."""
        if self._sealed is not None:
            raise TaskMisused(f"task {self.id}: commit {self._sealed.number} is still under way")
        # In the order of the first node that uses each: flushing forwards downstream, into stores that come later.
        for store in self.stores.values():
            store.flush()
        changelog: list[Row] = []
        for name, store in self.stores.items():
            try:
                changelog += store.seal()
            except Exception as cause:
                cause.add_note(f"while the changes of store {name} of task {self.id} were serialized for a commit")
                raise
        offsets = {}
        for where, queue in self.queues.items():
            offset = queue.committable()
            if offset is not None:
                offsets[where] = Offset(offset, offset_metadata.encode(queue.time, self._metadata))
        self._commits += 1
        self._dirty = self.commit_requested = False
        self._sealed = Commit(self.id, self._commits, tuple(self._drain()), tuple(changelog), offsets)
        return self._sealed

    def applied(self, commit: Commit, positions: Mapping[str, int] | None = None) -> None:
        """The commit is durable: its changes enter the stores. positions: each store's changelog position with it."""
        if commit is not self._sealed:
            raise TaskMisused(f"task {self.id}: commit {commit.number} is not the one under way")
        for name, store in self.stores.items():
            store.applied(None if positions is None else positions.get(name))
        self._sealed = None

    def close(self) -> None:
        """Let processors close what they hold."""
        for close in reversed(self._closers):
            close()
        self._closers.clear()

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

    # the loop

    def _take(self, now: int, limit: int) -> int:
        """Records by time over the partitions (reference §3), as long as the idle rules let the task go on."""
        left = limit
        ctx = self.ctx
        while left > 0:
            waiting = [queue for queue in self._order if queue.rows or queue.head is not None]
            if not waiting or not may_process(self._order, self.topology.config.max_task_idle, now):
                break
            if len(waiting) == 1 and not waiting[0].shared:
                left -= self._take_all(waiting[0], left)
            else:
                ready = [queue for queue in waiting if queue.advance(ctx)]
                self._dirty = True
                left -= self._take_smallest(ready, left)
        return limit - left

    def _take_smallest(self, ready: list[PartitionQueue], limit: int) -> int:
        """Until one of the partitions runs empty: then the idle rules are asked again."""
        taken = 0
        ctx = self.ctx
        while ready and taken < limit:
            # A task has one partition per topic it reads: few enough that looking at each head beats a heap.
            queue = min(ready, key=_head_time)
            self._take_head(queue)
            taken += 1
            if not queue.advance(ctx):
                break
        return taken

    def _take_head(self, queue: PartitionQueue) -> None:
        head = queue.head
        if head is None:
            raise AssertionError(f"{queue.topic} has no head")
        queue.head = None
        ctx = self.ctx
        timestamp = head.timestamp
        if timestamp > queue.time:
            queue.time = timestamp
            if timestamp > ctx.stream_time:
                ctx.stream_time = timestamp
        ctx.topic, ctx.partition, ctx.offset = head.topic, queue.partition, head.offset
        ctx.timestamp, ctx.headers = timestamp, head.headers
        ctx.raw_key, ctx.raw_value = head.raw_key, head.raw_value
        queue.step(head.key, head.value)
        if ctx.stream_time >= self._stream_clock.due:
            self._fire(self._stream_clock, ctx.stream_time)

    def _take_all(self, queue: PartitionQueue, limit: int) -> int:
        """The only partition that waits: no head to compare with, so each record is decoded, taken and done."""
        ctx, rows, step, failures, clock = self.ctx, queue.rows, queue.step, self._failures, self._stream_clock
        decode_key, decode_value, extractor = queue.decode_key, queue.decode_value, queue.extractor
        self._dirty = True
        if queue.head is not None:
            self._take_head(queue)
            return 1
        ctx.topic, ctx.partition = queue.topic, queue.partition
        taken = 0
        stop = min(limit, len(rows))
        while taken < stop:
            offset, timestamp, raw_key, raw_value, headers = inbound = rows.popleft()
            taken += 1
            try:
                key = None if raw_key is None else decode_key(raw_key)
                value = None if raw_value is None else decode_value(raw_value)
            except Exception as cause:  # noqa: BLE001  # any serde; the handler judges
                failures.undecodable(queue.topic, queue, inbound, cause)
                continue
            if extractor is not None or timestamp < 0:
                timestamp = queue.timestamp_of(queue.topic, inbound, key, value)
                if timestamp < 0:
                    ctx.dropped()
                    continue
            if timestamp > queue.time:
                queue.time = timestamp
                if timestamp > ctx.stream_time:
                    ctx.stream_time = timestamp
            ctx.timestamp = timestamp
            ctx.offset = offset
            ctx.headers = headers
            ctx.raw_key = raw_key
            ctx.raw_value = raw_value
            step(key, value)
            if ctx.stream_time >= clock.due:
                self._fire(clock, ctx.stream_time)
                ctx.topic, ctx.partition = queue.topic, queue.partition
        return taken

    # punctuators

    def _schedule(
        self, node: str, clock: Clock, start: int | None, interval: int, punctuate: Callable[[int], None]
    ) -> Punctuator:
        punctuator = Punctuator(node, interval, punctuate)
        is_stream = clock is Clock.STREAM_TIME
        now = self.ctx.stream_time if is_stream else self.ctx.now
        if start is None:
            # The grid of stream time begins at 0, so the first record fires it (H7); a clock first lets time pass (H8).
            start = 0 if is_stream else now + interval
        elif start < now:
            start = next_slot(start, interval, now)
        (self._stream_clock if is_stream else self._wall_clock).add(start, punctuator)
        return punctuator

    def _fire(self, clock: Punctuators, now: int) -> None:
        if now >= 0 and clock.fire(now, self._punctuate):
            self._dirty = True

    def _punctuate(self, punctuator: Punctuator, time: int) -> None:
        ctx = self.ctx
        ctx.topic, ctx.partition, ctx.offset = None, -1, -1
        ctx.timestamp, ctx.headers = time, ()
        ctx.raw_key = ctx.raw_value = None
        try:
            punctuator.punctuate(time)
        except RecordError:
            raise
        except Exception as cause:  # noqa: BLE001  # user code; the handler judges
            self._failures.unprocessable(punctuator.node, cause)

    def _request_commit(self) -> None:
        self.commit_requested = True

    def _drain(self) -> list[Row]:
        rows = self.ctx.outputs[:]
        self.ctx.outputs.clear()
        return rows


_head_time = attrgetter("head.timestamp")
