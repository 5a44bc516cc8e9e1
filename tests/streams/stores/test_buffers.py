"""The stores of outer joins, suppress and stream-table joins with grace (I8, I9): bytes, order, crashes, restarts."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.errors import TaskMisused
from app.streams.model import Row
from app.streams.serdes import raw, utf8
from app.streams.serdes.buffered import Origin
from app.streams.stores.outer_join import Waiting
from app.streams.stores.specs import GraceSpec, OuterJoinSpec, SuppressSpec
from app.streams.stores.suppress_buffer import LARGEST_LONG
from tests.streams.stores.living import Living, last_rows

OUTER = OuterJoinSpec(name="st", key=utf8, value=utf8, right_value=utf8)
SUPPRESS = SuppressSpec(name="st", key=raw, value=utf8)
GRACE = GraceSpec(name="st", key=utf8, value=utf8, grace=10)
CRASHES = st.tuples(st.sampled_from(["commit", "crash"]))


def plain(rows: list[Row]) -> list[Any]:
    return [((row.key or b"").hex(), None if row.value is None else row.value.hex(), row.timestamp) for row in rows]


def test_waiting_rows_as_java_writes_them() -> None:
    living = Living(OUTER, every_put=True)
    living.ctx.timestamp = 9
    living.store.put(5, True, "k", "A")
    living.store.put(5, True, "k", "B")
    assert living.store.delete_if_present(5, False, "k") is False
    assert living.store.delete_if_present(5, True, "k") is True
    key = "0000000000000005016b"
    assert plain(living.sent) == [
        (key, "0100000001000000020141", 9),
        (key, "0100000002000000020141000000020142", 9),
        (key, None, 9),
    ]


OUTER_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"), st.integers(0, 3), st.booleans(), st.sampled_from(["", "a", "b"]), st.text(max_size=2)
        ),
        st.tuples(st.just("delete"), st.integers(0, 3), st.booleans(), st.sampled_from(["", "a", "b"])),
        CRASHES,
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(OUTER_STEPS, st.booleans())
def test_waiting_rows_are_lists_by_time_side_and_key(steps: list[Any], every_put: bool) -> None:
    living = Living(OUTER, every_put=every_put)
    model: dict[tuple[int, bool, str], tuple[str, ...]] = {}
    committed: dict[tuple[int, bool, str], tuple[str, ...]] = {}
    for step in steps:
        match step:
            case ("put", timestamp, is_left, key, value):
                living.store.put(timestamp, is_left, key, value)
                model[timestamp, is_left, key] = (*model.get((timestamp, is_left, key), ()), value)
            case ("delete", timestamp, is_left, key):
                present = model.pop((timestamp, is_left, key), None) is not None
                assert living.store.delete_if_present(timestamp, is_left, key) == present
            case ("commit",):
                living.commit()
                committed = dict(model)
            case ("crash",):
                living.crash()
                model = dict(committed)
        expected = [Waiting(*row, values) for row, values in sorted(model.items())]
        assert list(living.store.all()) == expected
        assert list(living.store.all(2)) == [row for row in expected if row.timestamp >= 2]
    living.commit()
    assert list(living.restarted().store.all()) == [Waiting(*row, values) for row, values in sorted(model.items())]


def test_waiting_rows_may_go_while_they_are_read() -> None:
    living = Living(OUTER)
    for timestamp in range(100):
        living.store.put(timestamp, True, "k", "v")
    living.commit()
    for waiting in living.store.all():
        living.store.delete(waiting.timestamp, True, "k")
        living.store.put(waiting.timestamp, False, "k", "v")
    assert [row.is_left for row in living.store.all()] == [False] * 100


# timestamp, offset, topic, partition, headers; prior, old and new value; buffer time.
ROW = (
    "0000000000000006 0000000000000001 00000002696e 00000000 00000000 ffffffff 0000000161 000000026162 000000000000000a"
).replace(" ", "")


def test_suppressed_rows_as_java_writes_them() -> None:
    for every_put in (True, False):
        living = Living(SUPPRESS, every_put=every_put)
        ctx = living.ctx
        ctx.timestamp, ctx.offset = 5, 0
        living.store.put(10, b"k", ("a", None, True))
        ctx.timestamp, ctx.offset = 6, 1
        living.store.put(99, b"k", ("ab", "a", True))
        (row,) = living.commit()
        assert row.headers == (("v", b"\x03"),)
        assert plain([row]) == [("6b", ROW, None)]
        evicted = living.store.evict()
        assert evicted == (b"k", ("ab", "a", True), Origin(6, 1, "in", 0, ()))
        (row,) = living.commit()
        assert (row.value, row.timestamp, row.headers) == (None, None, ())


def test_the_prior_value_is_that_before_the_first_update() -> None:
    store = Living(SUPPRESS).store
    assert store.prior_value(b"k") == (False, None)
    store.put(1, b"k", ("b", "a", True))
    store.put(1, b"k", ("c", "b", True))
    assert store.prior_value(b"k") == (True, "a")


def test_the_size_counts_as_java_counts() -> None:
    living = Living(SUPPRESS)
    living.ctx.headers = (("name", b"12"), ("none", None))
    context = 8 + 8 + len("in") + 4 + len("name") + 2 + len("none")
    living.store.put(1, b"key", ("new", "old", True))
    # old is the prior value and counts once.
    assert living.store.size == 8 + 3 + 3 + 3 + context
    living.store.put(1, b"key", ("newer", "new", True))
    assert living.store.size == 8 + 3 + 3 + 3 + 5 + context
    living.store.evict()
    assert (living.store.size, living.store.min_timestamp, len(living.store)) == (0, LARGEST_LONG, 0)
    with pytest.raises(IndexError):
        living.store.evict()


SUPPRESS_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.sampled_from([b"", b"a", b"b", b"\xff"]), st.text(max_size=3)),
        st.tuples(st.just("evict")),
        st.tuples(st.sampled_from(["seal", "applied", "commit", "crash"])),
    ),
    max_size=50,
)


@settings(max_examples=150, deadline=None)
@given(SUPPRESS_STEPS, st.booleans())
def test_a_suppress_buffer_keeps_one_row_a_key_in_its_first_slot(steps: list[Any], every_put: bool) -> None:
    living = Living(SUPPRESS, every_put=every_put)
    model: dict[bytes, tuple[int, str]] = {}
    committed: dict[bytes, tuple[int, str]] = {}
    sealed: dict[bytes, tuple[int, str]] | None = None
    for step in steps:
        match step:
            case ("put", time, key, value):
                living.store.put(time, key, (value, None, True))
                model[key] = (model.get(key, (time, ""))[0], value)
            case ("evict",) if model:
                key = min(model, key=lambda each: (model[each][0], each))
                assert living.store.min_timestamp == model[key][0]
                evicted = living.store.evict()
                assert (evicted.key, evicted.change[0]) == (key, model.pop(key)[1])
            case ("seal",) if not living.is_sealed:
                living.seal()
                sealed = dict(model)
            case ("applied",) if sealed is not None:
                living.applied()
                committed, sealed = sealed, None
            case ("commit",) if not living.is_sealed:
                living.commit()
                committed = dict(model)
            case ("crash",):
                living.crash()
                model, sealed = dict(committed), None
        assert len(living.store) == len(model)
    if living.is_sealed:
        living.applied()
    living.commit()
    assert set(last_rows(living.changelog)) >= set(model)
    restored = living.restarted().store
    assert restored.size == living.store.size
    for key in sorted(model, key=lambda each: (model[each][0], each)):
        evicted = restored.evict()
        assert (evicted.key, evicted.change[0]) == (key, model[key][1])
    assert restored.min_timestamp == LARGEST_LONG


def test_a_suppress_buffer_takes_one_commit_at_a_time() -> None:
    store = Living(SUPPRESS).store
    with pytest.raises(TaskMisused):
        store.applied()
    store.seal()
    with pytest.raises(TaskMisused):
        store.seal()


def test_rows_in_their_grace_as_java_writes_them() -> None:
    living = Living(GRACE, every_put=True)
    living.ctx.timestamp, living.ctx.topic = 12, "s"
    assert living.store.put("k", "s1") is True
    ((key, value, timestamp),) = plain(living.sent)
    assert key == "00" + "000000000000000c" + "6b" + "00000001"
    assert value is not None
    assert value.endswith("0000000173" + "00000000" * 2 + "ffffffff" * 2 + "00000002" + "7331" + "00" * 8)
    assert (timestamp, living.sent[0].headers) == (None, ())
    living.ctx.timestamp = 22
    living.store.put("later", "s2")
    assert [due.value for due in living.store.evict()] == ["s1"]
    assert plain(living.sent)[-1] == (key, None, None)


GRACE_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 60), st.sampled_from(["", "a", "b"])),
        st.tuples(st.sampled_from(["seal", "applied", "commit", "crash"])),
    ),
    max_size=50,
)


@settings(max_examples=150, deadline=None)
@given(GRACE_STEPS)
def test_a_grace_buffer_lets_go_in_the_order_of_time_key_and_arrival(steps: list[Any]) -> None:
    living = Living(GRACE)
    waiting: list[tuple[int, str, int]] = []
    stream_time, arrival = -1, 0
    # What a crash brings back, and what a commit under way will.
    committed: tuple[Any, ...] = ([], -1, 0)
    sealed: tuple[Any, ...] | None = None
    for step in steps:
        match step:
            case ("put", timestamp, key):
                living.ctx.timestamp = timestamp
                late = timestamp < stream_time - GRACE.grace
                assert living.store.put(key, "v") is not late
                if not late:
                    arrival += 1
                    stream_time = max(stream_time, timestamp)
                    waiting.append((timestamp, key, arrival))
                due = sorted(row for row in waiting if row[0] <= stream_time - GRACE.grace)
                assert [(row.origin.timestamp, row.key) for row in living.store.evict()] == [row[:2] for row in due]
                waiting = [row for row in waiting if row not in due]
            case ("seal",) if not living.is_sealed:
                living.seal()
                sealed = (list(waiting), stream_time, arrival)
            case ("applied",) if sealed is not None:
                living.applied()
                committed, sealed = sealed, None
            case ("commit",) if not living.is_sealed:
                living.commit()
                committed = (list(waiting), stream_time, arrival)
            case ("crash",):
                living.crash()
                waiting, stream_time, arrival = list(committed[0]), committed[1], committed[2]
                sealed = None
    if living.is_sealed:
        living.applied()
    living.commit()
    restored = living.restarted()
    restored.ctx.timestamp = 1000
    assert restored.store.put("end", "v")
    assert [(row.origin.timestamp, row.key) for row in restored.store.evict()] == [row[:2] for row in sorted(waiting)]
