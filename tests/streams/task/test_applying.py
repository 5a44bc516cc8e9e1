"""A commit that enters the stores in slices, and tasks that are dropped."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import pytest

from app.streams.config import Optimization, StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.errors import TaskMisused
from app.streams.model import Offset, Record
from app.streams.serdes import utf8
from app.streams.stores import Base
from app.streams.stores.base import Marks
from app.streams.topology.processor import ProcessorContext
from tests.streams.task.test_task import counting, inbound, named, new_task


def test_processing_goes_on_between_slices_and_the_next_commit_waits() -> None:
    bases: dict[str, Base] = {}
    task = new_task(counting(), "in", bases=bases)
    task.start(0)
    task.enqueue("in", 0, [inbound(at, 1, key=f"k{at % 3}") for at in range(6)])
    task.process(0, limit=3)
    assert task.dirty_rows == 3
    commit = task.commit()
    assert task.dirty_rows == 0
    slices = task.applying(commit, {"c": 3}, slice_ms=0)
    next(slices)
    assert [row.value for row in named(task.process(0))] == [(2).to_bytes(8, "big")] * 3
    with pytest.raises(TaskMisused, match="still under way"):
        task.commit()
    with pytest.raises(TaskMisused, match="not the one under way"):
        task.applying(commit)
    assert bases["c"].marks() == Marks()
    assert list(slices) != []
    assert bases["c"].marks() == Marks(3)
    assert len(task.commit().changelog) == 3


def test_a_commit_may_be_sealed_in_slices_and_nothing_is_processed_meanwhile() -> None:
    task = new_task(counting(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(at, 1, key=f"k{at}") for at in range(6)])
    task.process(0, limit=5)
    slices = task.sealing(every=2)
    next(slices)
    with pytest.raises(TaskMisused, match="is being sealed"):
        task.process(0)
    assert len(list(slices)) == 2
    commit = task.commit()
    assert [row.key for row in commit.changelog] == [f"k{at}".encode() for at in range(5)]
    assert len(task.process(0)) == 1
    task.applied(commit)


def test_a_slice_of_sealing_is_short_even_where_rows_are_large() -> None:
    task = new_task(counting(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(at, 1, key=f"k{at}") for at in range(1_000)])
    task.process(0)
    # A row of 10 KB takes some 10 us.
    assert len(list(task.sealing())) >= 4
    assert len(task.commit().changelog) == 1_000


def test_an_abandoned_task_leaves_the_store_as_it_was() -> None:
    bases: dict[str, Base] = {}
    task = new_task(counting(), "in", bases=bases)
    task.start(0)
    task.enqueue("in", 0, [inbound(at, 1, key=f"k{at % 3}") for at in range(6)])
    task.process(0)
    slices = task.applying(task.commit(), {"c": 3}, slice_ms=0)
    next(slices)
    assert len(bases["c"]) == 1
    task.abandon()
    assert len(bases["c"]) == 0
    assert bases["c"].marks() == Marks()
    with pytest.raises(TaskMisused, match="was not started"):
        task.process(0)


class Held:
    """A processor that holds something."""

    closed: ClassVar[list[str]] = []

    def __init__(self, name: str, fails: bool) -> None:
        self.name = name
        self.fails = fails

    def init(self, context: ProcessorContext) -> None: ...

    def process(self, record: Record[str, str], /) -> None: ...

    def close(self) -> None:
        Held.closed.append(self.name)
        if self.fails:
            raise OSError(self.name)


@pytest.mark.parametrize(("failing", "kind"), [(("b",), OSError), (("a", "b"), ExceptionGroup)])
def test_every_processor_is_closed_whatever_another_one_raises(failing: tuple[str, ...], kind: type[Exception]) -> None:
    builder = Builder(StreamsConfig())
    stream = builder.stream("in", key=utf8, value=utf8)
    for name in "abc":
        stream.process(partial(Held, name, name in failing))
    task = new_task(builder.build(), "in")
    task.start(0)
    Held.closed.clear()
    with pytest.raises(kind):
        task.abandon()
    assert sorted(Held.closed) == ["a", "b", "c"]
    task.abandon()
    assert len(Held.closed) == 3


def test_a_store_restored_from_a_source_topic_is_as_far_as_the_task_has_read() -> None:
    builder = Builder(StreamsConfig(optimization=frozenset({Optimization.REUSE_SOURCE_TOPICS})))
    builder.table("in", Materialized("rows", key=utf8, value=utf8), key=utf8, value=utf8)
    bases: dict[str, Base] = {}
    task = new_task(builder.build(), "in", bases=bases)
    task.resume_from("in", 0, Offset(7, ""))
    task.start(0)
    task.enqueue("in", 0, [inbound(7, 1), inbound(8, 1)])
    task.process(0, limit=1)
    task.applied(task.commit(), {})
    assert bases["rows"].marks().position == 8
