"""A task by itself: which record comes next, when it waits, and what a commit is."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.config import StreamsConfig, record_time_or_partition_time, record_time_or_skip, skip, wall_clock
from app.streams.context import Context
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.errors import DeserializationError, ProcessingError, TaskMisused, TimestampError
from app.streams.model import Inbound, Offset, Outbound, Row, TaskId, TopicPartition
from app.streams.serdes import int64, utf8
from app.streams.serdes.offset_metadata import decode, encode
from app.streams.stores import Base, memory_base
from app.streams.stores.specs import StoreSpec
from app.streams.task import Task
from app.streams.task.failures import Failures
from app.streams.topology.processor import ProcessorContext
from app.streams.topology.runtime import Clock
from app.streams.topology.subtopologies import whole
from app.streams.topology.topology import Topology


def new_task(topology: Topology, *topics: str, bases: dict[str, Base] | None = None) -> Task:
    kept: dict[str, Base] = {} if bases is None else bases

    def base(spec: StoreSpec) -> Base:
        return kept.setdefault(spec.name, memory_base(spec))

    task = Task(topology, whole(topology, global_part=False), TaskId(0, 0), partitions=lambda _: 1, bases=base)
    task.assign(topics)
    return task


def merged(**config: object) -> Topology:
    builder = Builder(StreamsConfig(**config))  # type: ignore[arg-type]
    left, right = (builder.stream(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    left.merge(right).to("out", key=utf8, value=utf8)
    return builder.build()


def counting(**config: object) -> Topology:
    builder = Builder(StreamsConfig(max_task_idle=-1, **config))  # type: ignore[arg-type]
    counts = builder.stream("in", key=utf8, value=utf8).group_by_key().count(Materialized("c"))
    counts.to_stream().to("out", value=int64)
    return builder.build()


def inbound(offset: int, timestamp: int, key: str = "k", value: str | None = None) -> Inbound:
    return offset, timestamp, key.encode(), (value or f"{offset}@{timestamp}").encode(), ()


def named(rows: Iterable[Outbound]) -> list[Row]:
    return [Row._make(each) for each in rows]


def values(rows: Iterable[Outbound]) -> list[str]:
    return [row.value.decode() for row in named(rows) if row.value is not None]


class TestChoice:
    def test_the_smallest_head_comes_first_and_nothing_is_sorted_within_a_partition(self) -> None:
        task = new_task(merged(), "left", "right")
        task.start(0)
        task.enqueue("left", 0, [inbound(0, 5), inbound(1, 1)])
        task.enqueue("right", 0, [inbound(0, 3), inbound(1, 7)])
        for topic in ("left", "right"):
            task.note_fetch(topic, 0, 2, 2)
        assert values(task.process(0)) == ["0@3", "0@5", "1@1", "1@7"]
        assert task.ctx.stream_time == 7

    @settings(max_examples=60)
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=30), st.integers(1, 5))
    def test_the_order_does_not_depend_on_how_records_come_in(
        self, records: list[tuple[bool, int]], limit: int
    ) -> None:
        def run(chunk: int) -> list[str]:
            task = new_task(merged(), "left", "right")
            task.start(0)
            queued = {True: [], False: []}  # type: dict[bool, list[Inbound]]
            for left, timestamp in records:
                rows = queued[left]
                # Distinct times: ties between partitions are in no promised order.
                rows.append(inbound(len(rows), 2 * timestamp + left))
            found: list[str] = []
            at = {True: 0, False: 0}
            while any(at[side] < len(queued[side]) for side in at):
                for side, topic in ((True, "left"), (False, "right")):
                    rows = queued[side][at[side] : at[side] + chunk]
                    at[side] += len(rows)
                    task.enqueue(topic, 0, rows)
                    task.note_fetch(topic, 0, at[side], len(queued[side]))
                while rows_out := task.process(0, limit):
                    found += values(rows_out)
            return found

        assert run(1) == run(3) == run(1000)


class TestIdling:
    def waiting(self, max_idle: int) -> Task:
        task = new_task(merged(max_task_idle=max_idle), "left", "right")
        task.start(0)
        task.enqueue("left", 0, [inbound(0, 1)])
        return task

    def test_it_waits_for_a_partition_that_was_never_fetched(self) -> None:
        task = self.waiting(0)
        assert task.process(0) == []
        task.note_fetch("right", 0, 0, 0)
        assert len(task.process(0)) == 1

    def test_it_waits_for_records_that_are_known_to_be_on_the_broker(self) -> None:
        task = self.waiting(0)
        task.note_fetch("right", 0, 0, 1)
        assert task.process(0) == []
        task.enqueue("right", 0, [inbound(0, 0)])
        task.note_fetch("right", 0, 1, 1)
        assert values(task.process(0)) == ["0@0", "0@1"]

    def test_it_waits_some_time_for_a_partition_that_has_nothing(self) -> None:
        task = self.waiting(100)
        task.note_fetch("right", 0, 0, 0)
        assert task.process(10) == []
        assert task.wake_at() == 110
        assert task.process(109) == []
        assert len(task.process(110)) == 1

    def test_it_can_be_told_never_to_wait(self) -> None:
        assert len(self.waiting(-1).process(0)) == 1


class TestTime:
    def test_partition_time_is_over_records_taken_and_comes_back_with_the_offset(self) -> None:
        task = new_task(counting(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 7), inbound(1, 3), inbound(2, 50)])
        task.process(0, limit=2)
        where = TopicPartition("in", 0)
        committed = task.commit().offsets[where]
        assert committed.offset == 2
        assert decode(committed.metadata) == (7, {})
        again = new_task(counting(), "in")
        again.resume_from("in", 0, committed)
        again.start(0)
        assert again.ctx.stream_time == 7
        assert again.queues[where].time == 7

    def test_metadata_that_cannot_be_read_counts_as_none(self) -> None:
        task = new_task(counting(), "in")
        task.resume_from("in", 0, Offset(4, "not base64!"))
        assert task.ctx.stream_time == -1
        assert task.queues[TopicPartition("in", 0)].position == 4

    @pytest.mark.parametrize(
        ("extractor", "times"),
        [(record_time_or_skip, [5]), (record_time_or_partition_time, [5, 5]), (wall_clock, [99, 99])],
    )
    def test_extractors(self, extractor: object, times: list[int]) -> None:
        task = new_task(counting(default_extractor=extractor), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 5), inbound(1, -1)])
        assert [row.timestamp for row in named(task.process(99))] == times

    def test_without_a_time_the_default_extractor_gives_up(self) -> None:
        task = new_task(counting(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, -1)])
        with pytest.raises(TimestampError, match="record in/0@0 could not be given a timestamp"):
            task.process(0)


class TestCommit:
    def test_processing_goes_on_above_a_sealed_commit(self) -> None:
        bases: dict[str, Base] = {}
        task = new_task(counting(), "in", bases=bases)
        task.start(0)
        task.enqueue("in", 0, [inbound(n, n) for n in range(4)])
        task.process(0, limit=2)
        commit = task.commit()
        assert [(row.key, row.value) for row in commit.changelog] == [(b"k", (2).to_bytes(8, "big"))]
        assert [row.value for row in named(task.process(0))] == [n.to_bytes(8, "big") for n in (3, 4)]
        with pytest.raises(TaskMisused, match="commit 1 is still under way"):
            task.commit()
        task.applied(commit)
        # A crash now: what was applied is there, what came after it is gone.
        again = new_task(counting(), "in", bases=bases)
        assert again.stores["c"].get("k") == (2, 1)

    def test_only_the_commit_under_way_can_be_applied(self) -> None:
        task = new_task(counting(), "in")
        task.start(0)
        commit = task.commit()
        task.applied(commit)
        with pytest.raises(TaskMisused, match="commit 1 is not the one under way"):
            task.applied(commit)

    def test_a_position_past_markers_is_committed(self) -> None:
        task = new_task(counting(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 1)])
        task.process(0)
        task.note_fetch("in", 0, 5, 5)
        assert task.commit().offsets[TopicPartition("in", 0)].offset == 5

    def test_only_what_happened_needs_a_commit(self) -> None:
        task = new_task(counting(), "in")
        task.start(0)
        task.process(0)
        assert [task.needs_commit] == [False]
        task.enqueue("in", 0, [inbound(0, 1)])
        task.process(0)
        assert [task.needs_commit] == [True]
        task.commit()
        assert not task.needs_commit

    def test_stores_are_restored_before_the_start_only(self) -> None:
        task = new_task(counting(), "in")
        task.restore("c", [(b"k", (9).to_bytes(8, "big"), 3, ())])
        task.start(0)
        assert task.stores["c"].get("k") == (9, 3)
        with pytest.raises(TaskMisused):
            task.restore("c", [])

    @settings(max_examples=40)
    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=20),
        st.lists(st.integers(1, 4), min_size=20, max_size=20),
        st.sets(st.integers(0, 10)),
    )
    def test_results_do_not_depend_on_batches_commits_or_crashes(
        self, records: list[tuple[str, int]], limits: list[int], crashes: set[int]
    ) -> None:
        rows = [inbound(n, timestamp, key) for n, (key, timestamp) in enumerate(records)]
        calm = new_task(counting(), "in")
        calm.start(0)
        calm.enqueue("in", 0, rows)
        expected = calm.process(0)

        bases: dict[str, Base] = {}
        durable: list[Outbound] = []
        committed = Offset(0, "")
        task = self._from(bases, committed, rows)
        for round_number, limit in enumerate([*limits, 1000]):
            outputs = task.process(0, limit)
            commit = task.commit()
            if round_number in crashes:
                # Between `commit` and `applied`: outputs, offsets and state are dropped together.
                task = self._from(bases, committed, rows)
                continue
            durable += outputs
            committed = commit.offsets[TopicPartition("in", 0)]
            task.applied(commit)
        assert durable == expected
        assert list(task.stores["c"].all()) == list(calm.stores["c"].all())

    def _from(self, bases: dict[str, Base], committed: Offset, rows: list[Inbound]) -> Task:
        task = new_task(counting(), "in", bases=bases)
        task.resume_from("in", 0, committed)
        task.start(0)
        task.enqueue("in", 0, rows[committed.offset :])
        return task


class TestFailures:
    def test_an_error_names_record_node_and_task(self) -> None:
        builder = Builder(StreamsConfig(max_task_idle=-1))
        source = builder.stream("in", key=utf8, value=utf8)
        source.map_values(lambda _, value: value.upper(), name="fine").to("a", value=utf8)
        source.map_values(lambda _, value: int(value), name="broken").filter(lambda *_: True).to("b", value=int64)
        task = new_task(builder.build(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 1, value="7"), inbound(1, 2, value="x")])
        with pytest.raises(
            ProcessingError, match=r"record in/0@1 could not be processed in broken of task 0_0"
        ) as caught:
            task.process(0)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_skipping_keeps_siblings_and_restores_the_record_for_them(self) -> None:
        builder = Builder(StreamsConfig(max_task_idle=-1, processing_handler=skip, dead_letter_topic="dlq"))
        source = builder.stream("in", key=utf8, value=utf8)
        source.map_values(lambda _, value: int(value)).to("numbers", value=int64)
        source.to("texts")
        task = new_task(builder.build(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 5, value="x")])
        rows = named(task.process(0))
        assert [(row.topic, row.timestamp) for row in rows] == [("dlq", 5), ("texts", 5)]
        assert dict(rows[0].headers)["__streams.errors.offset"] == b"0"
        assert task.ctx.dropped_records == 1

    def test_undecodable_records_are_skipped_and_their_offset_moves_on(self) -> None:
        builder = Builder(StreamsConfig(max_task_idle=-1, deserialization_handler=skip))
        builder.stream("in", key=utf8, value=int64).to("out")
        task = new_task(builder.build(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 1, value="short")])
        assert task.process(0) == []
        assert task.commit().offsets[TopicPartition("in", 0)].offset == 1
        assert task.ctx.dropped_records == 1

    def test_undecodable_records_stop_the_task_by_default(self) -> None:
        builder = Builder(StreamsConfig(max_task_idle=-1))
        builder.stream("in", key=utf8, value=int64).to("out")
        task = new_task(builder.build(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 1, value="short")])
        with pytest.raises(DeserializationError, match="record in/0@0 could not be decoded"):
            task.process(0)

    def test_what_a_sink_cannot_serialize_may_be_skipped(self) -> None:
        builder = Builder(StreamsConfig(max_task_idle=-1, production_handler=skip))
        source = builder.stream("in", key=utf8, value=utf8)
        source.to("numbers", value=int64)  # type: ignore[arg-type]
        source.to("texts")
        task = new_task(builder.build(), "in")
        task.start(0)
        task.enqueue("in", 0, [inbound(0, 1)])
        assert [row.topic for row in named(task.process(0))] == ["texts"]
        assert task.ctx.dropped_records == 1


def test_a_guard_gives_siblings_the_record_as_it_was() -> None:
    ctx = Context("app", TaskId(0, 0))
    ctx.timestamp, ctx.headers = 5, (("h", b"1"),)

    def raises(_key: object, _value: object) -> None:
        ctx.timestamp, ctx.headers = 9, ()
        raise ValueError("broken")

    Failures(ctx, StreamsConfig(processing_handler=skip)).guarded("node", raises)("k", "v")
    assert (ctx.timestamp, ctx.headers) == (5, (("h", b"1"),))
    assert ctx.dropped_records == 1


def test_an_aggregate_has_the_time_of_its_latest_record() -> None:
    task = new_task(counting(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(0, 10), inbound(1, 3), inbound(2, 12)])
    assert [row.timestamp for row in named(task.process(0))] == [10, 10, 12]


def test_statistics_are_a_snapshot() -> None:
    task = new_task(counting(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(0, 3), inbound(1, 4)])
    task.process(0, limit=1)
    found = task.statistics()
    assert (found.processed, found.stream_time, found.buffered) == (1, 3, {TopicPartition("in", 0): 1})
    assert [store.name for store in found.stores] == ["c"]


class TestAnchoredPunctuators:
    def ticks(self, clock: Clock, now: int) -> list[int]:
        """Ticks of one anchored at 5 with interval 20, scheduled at a later time, and advanced to 100."""
        seen: list[int] = []

        class Ticking:
            def init(self, context: ProcessorContext) -> None:
                context.schedule(20, clock, seen.append, start=5)

            def process(self, _record: object, /) -> None: ...

        builder = Builder(StreamsConfig(max_task_idle=-1))
        builder.stream("in", key=utf8, value=utf8).process(Ticking)
        task = new_task(builder.build(), "in")
        task.resume_from("in", 0, Offset(0, encode(now, {})))
        task.start(now)
        for time in range(now, 101):
            if clock is Clock.STREAM_TIME:
                task.enqueue("in", 0, [inbound(time, time)])
            task.process(time)
        return seen

    @pytest.mark.parametrize("clock", Clock)
    def test_a_start_in_the_past_moves_to_the_next_slot(self, clock: Clock) -> None:
        assert self.ticks(clock, 30) == [45, 65, 85]

    @pytest.mark.parametrize("clock", Clock)
    def test_a_start_ahead_is_waited_for(self, clock: Clock) -> None:
        assert self.ticks(clock, 0) == [5, 25, 45, 65, 85]
