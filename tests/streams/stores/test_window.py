"""Window stores against a list of rows and Java's rules for what is taken and what is shown (I3, I4)."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.model import Windowed
from app.streams.serdes import int64, raw
from app.streams.stores.specs import WindowSpec
from tests.streams.stores.living import Living, last_rows

RETENTION = 100_000
INTERVAL = 60_000
LARGEST_LONG = 2**63 - 1
KEYS = [b"", b"a", b"a\x00", b"ab", b"b", b"\xff"]
# Around the bounds of segments, of retention, and near each other.
TIMES = st.one_of(
    st.integers(0, 20),
    st.sampled_from([59_999, 60_000, 60_001, 99_999, 100_000, 100_001, 119_999, 160_000, 160_001, 219_999, 220_000]),
    st.integers(0, 400_000),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.none() | st.integers(0, 9), TIMES),
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.integers(0, 9), TIMES),
        st.tuples(st.sampled_from(["seal", "applied", "commit", "crash"])),
    ),
    max_size=30,
)
KINDS = st.builds(
    lambda persistent, duplicates, time_ordered: WindowSpec(
        name="st",
        key=raw,
        value=int64,
        retention=RETENTION,
        size=10,
        timestamped=True,
        persistent=persistent,
        retain_duplicates=duplicates,
        time_ordered=time_ordered,
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


class State(NamedTuple):
    """rows: (key, start, number) → (value, timestamp)."""

    rows: dict[tuple[bytes, int, int], tuple[int, int]]
    stream_time: int
    number: int
    dropped: int


class Model:
    """What the store must be, said as simply as possible: nothing is ever thrown away, it is only hidden."""

    def __init__(self, spec: WindowSpec) -> None:
        self.spec = spec
        self.state = self.committed = State({}, -1, 0, 0)
        self.sealed: State | None = None

    def put(self, key: bytes, value: int | None, start: int, timestamp: int) -> None:
        spec = self.spec
        rows, stream_time, number, dropped = self.state
        if spec.retain_duplicates and value is None and spec.persistent:
            return
        stream_time = max(stream_time, start)
        if spec.persistent:
            refused = start // INTERVAL < (stream_time - RETENTION) // INTERVAL
        else:
            refused = start <= stream_time - RETENTION
        if refused:
            dropped += 1
        elif spec.retain_duplicates:
            if value is not None:
                number += 1
                rows = {**rows, (key, start, number): (value, timestamp)}
        elif value is None:
            rows = {row: held for row, held in rows.items() if row != (key, start, 0)}
        else:
            rows = {**rows, (key, start, 0): (value, timestamp)}
        self.state = State(rows, stream_time, number, dropped)

    def shown(self, lo: bytes | None, hi: bytes | None, time_from: int, time_to: int, state: State) -> list[Any]:
        earliest = state.stream_time - RETENTION + (0 if self.spec.time_ordered and self.spec.persistent else 1)
        return [
            (key, start, number, value)
            for (key, start, number), value in state.rows.items()
            if max(earliest, time_from) <= start <= time_to and (lo is None or key >= lo) and (hi is None or key <= hi)
        ]

    def key_order(self, row: Any) -> Any:
        """Over several keys: segments first in Java's persistent store, starts in its in-memory one."""
        key, start, number, _ = row
        if self.spec.persistent:
            return start // INTERVAL, key + start.to_bytes(8, "big") + number.to_bytes(4, "big")
        return start, key + number.to_bytes(4, "big")

    def time_order(self, row: Any) -> Any:
        key, start, number, _ = row
        return (start, key + number.to_bytes(4, "big")) if self.spec.time_ordered else self.key_order(row)


def pairs(rows: list[Any]) -> list[Any]:
    return [(Windowed(key, start, start + 10), value) for key, start, _, value in rows]


def assert_reads(view: Any, model: Model, state: State) -> None:
    for key in (b"", b"a", b"ab"):
        for time_from, time_to in ((0, LARGEST_LONG), (0, 60_000), (60_001, 160_000), (5, 4), (-5, 10)):
            rows = model.shown(key, key, time_from, time_to, state)
            rows.sort(key=lambda row: row[1:3])
            expected = [(start, value) for _, start, _, value in rows]
            assert list(view.fetch(key, time_from, time_to)) == expected
            assert list(view.backward_fetch(key, time_from, time_to)) == expected[::-1]
    for lo, hi in ((None, None), (b"a", b"ab"), (None, b"a\x00"), (b"a\x00", None), (b"b", b"a")):
        for time_from, time_to in ((0, LARGEST_LONG), (1, 119_999)):
            rows = sorted(model.shown(lo, hi, time_from, time_to, state), key=model.key_order)
            assert list(view.fetch_keys(lo, hi, time_from, time_to)) == pairs(rows)
            assert list(view.backward_fetch_keys(lo, hi, time_from, time_to)) == pairs(rows)[::-1]
    everything = sorted(model.shown(None, None, 0, LARGEST_LONG, state), key=model.time_order)
    assert list(view.all()) == pairs(everything)
    assert list(view.backward_all()) == pairs(everything)[::-1]
    some = [row for row in everything if 10 <= row[1] <= 160_000]
    assert list(view.fetch_all(10, 160_000)) == pairs(some)
    assert list(view.backward_fetch_all(10, 160_000)) == pairs(some)[::-1]
    if not model.spec.retain_duplicates:
        for key in KEYS[:3]:
            for start in (0, 60_000, 160_000):
                found = [value for *_, value in model.shown(key, key, start, start, state)]
                assert view.get(key, start) == (found[0] if found else None)


def take(step: Any, living: Living, model: Model, timestamp: int) -> None:
    living.ctx.timestamp = timestamp
    match step:
        case ("put", key, value, start):
            living.store.put(key, value, start, timestamp + 1)
            model.put(key, value, start, timestamp + 1)
        case ("seal",) if not living.is_sealed:
            living.seal()
            model.sealed = model.state
        case ("applied",) if model.sealed is not None:
            living.applied()
            model.committed, model.sealed = model.sealed, None
        case ("commit",) if not living.is_sealed:
            living.commit()
            model.committed = model.state
        case ("crash",):
            living.crash()
            model.state, model.sealed = model.committed._replace(dropped=model.state.dropped), None


@settings(max_examples=250, deadline=None)
@given(KINDS, STEPS, st.booleans())
def test_a_window_store_is_a_list_with_rules(spec: WindowSpec, steps: list[Any], every_put: bool) -> None:
    living, model = Living(spec, every_put=every_put), Model(spec)
    for at, step in enumerate(steps):
        take(step, living, model, at)
        assert living.ctx.dropped_records == model.state.dropped
    assert_reads(living.store, model, model.state)
    assert_reads(living.store.committed(), model, model.committed)
    if not living.is_sealed:
        living.commit()
        restored = living.restarted().store
        assert restored.stream_time == max([start for _, start in _logged(living)], default=-1)
        if restored.stream_time == model.state.stream_time:
            assert list(restored.all()) == list(living.store.all())


def _logged(living: Living) -> list[tuple[bytes, int]]:
    keys = [row.key or b"" for row in living.changelog]
    return [(key[:-12], int.from_bytes(key[-12:-4], "big")) for key in keys]


@settings(max_examples=60, deadline=None)
@given(KINDS, STEPS)
def test_both_ways_of_logging_leave_the_same(spec: WindowSpec, steps: list[Any]) -> None:
    once, each = Living(spec), Living(spec, every_put=True)
    for at, step in enumerate(step for step in steps if step[0] == "put"):
        for living in (once, each):
            take(step, living, Model(spec), at)
    rows = once.commit()
    each.commit()
    assert last_rows(rows) == last_rows(each.changelog)
    assert len({row.key for row in rows}) == len(rows)


def test_the_changelog_as_java_writes_it() -> None:
    living = Living(WindowSpec(name="st", key=raw, value=int64, retention=100, size=10, timestamped=True))
    living.ctx.timestamp = 9
    living.store.put(b"k", 1, 0, 4)
    (row,) = living.commit()
    assert (row.key, row.value, row.timestamp) == (
        bytes.fromhex("6b000000000000000000000000"),
        bytes.fromhex("0000000000000001"),
        4,
    )
    living.store.put(b"k", None, 0, 4)
    (row,) = living.commit()
    assert (row.value, row.timestamp) == (None, 9)


JOIN = WindowSpec(name="st", key=raw, value=int64, retention=100, size=10, retain_duplicates=True)
JOIN_IN_MEMORY = replace(JOIN, persistent=False)


@pytest.mark.parametrize("spec", [JOIN, JOIN_IN_MEMORY])
def test_duplicates_are_numbered_from_1_and_deletions_take_a_number(spec: WindowSpec) -> None:
    living = Living(spec)
    for value in (1, None, 1):
        living.store.put(b"k", value, 5)
    rows = living.commit()
    assert [(row.key or b"")[-4:] for row in rows] == [b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"]
    assert [row.value is None for row in rows] == [False, True, False]
    assert list(living.store.fetch(b"k", 0, 9)) == [(5, 1), (5, 1)]


def test_numbers_begin_anew_after_a_restart_and_go_on_after_a_crash() -> None:
    living = Living(JOIN)
    living.store.put(b"k", 1, 5)
    living.store.put(b"k", 2, 5)
    living.commit()
    living.crash()
    living.store.put(b"k", 3, 5)
    assert [value for _, value in living.store.fetch(b"k", 0, 9)] == [1, 2, 3]
    restarted = living.restarted()
    restarted.store.put(b"k", 4, 5)
    # As in Java: the number is used again, and with it the row.
    assert [value for _, value in restarted.store.fetch(b"k", 0, 9)] == [4, 2]


def test_restored_duplicates_in_memory_are_not_overwritten() -> None:
    living = Living(JOIN_IN_MEMORY)
    living.store.put(b"k", 1, 5)
    living.commit()
    restarted = living.restarted()
    restarted.store.put(b"k", 4, 5)
    assert [value for _, value in restarted.store.fetch(b"k", 0, 9)] == [1, 4]
    assert (restarted.commit()[0].key or b"")[-4:] == b"\0\0\0\1"


def test_dropped_segments_leave_the_base_with_the_commit_that_dropped_them() -> None:
    living = Living(WindowSpec(name="st", key=raw, value=int64, retention=100, size=10, time_ordered=True))
    for number in range(10):
        living.store.put(b"k", number, number * 10)
    living.commit()
    assert len(living.base) == 20
    living.seal()
    living.store.put(b"k", 1, 1_000_000)
    living.applied()
    # The put that moved the time is not committed, so neither is what follows from it.
    assert len(living.base) == 20
    living.commit()
    assert len(living.base) == 2
    assert living.store.statistics().stream_time == 1_000_000


def test_a_crash_brings_back_the_committed_stream_time() -> None:
    living = Living(JOIN)
    living.store.put(b"k", 1, 5)
    living.commit()
    living.store.put(b"k", 2, 10_000)
    living.crash()
    assert living.store.stream_time == 5
    assert list(living.store.fetch(b"k", 0, 10)) == [(5, 1)]


@pytest.mark.parametrize(
    ("persistent", "time_ordered", "first_shown", "taken"),
    [(True, False, 101, True), (True, True, 100, True), (False, False, 101, False), (False, True, 101, False)],
)
def test_the_edge_of_retention(persistent: bool, time_ordered: bool, first_shown: int, taken: bool) -> None:
    """At stream time 200, retention 100: what shows, and whether a late row at the very edge is taken."""
    spec = replace(JOIN, retain_duplicates=False, persistent=persistent, time_ordered=time_ordered)
    living = Living(spec)
    for start in (99, 100, 101, 200):
        living.store.put(b"k", 1, start)
    shown = [start for start in (99, 100, 101, 200) if start >= first_shown]
    assert [start for start, _ in living.store.fetch(b"k", 0, 500)] == shown
    assert [window.start for window, _ in living.store.all()] == shown
    assert [start for start in (99, 100, 101, 200) if living.store.get(b"k", start) is not None] == shown
    living.store.put(b"late", 1, 101)
    assert living.ctx.dropped_records == 0
    living.store.put(b"late", 1, 100)
    assert living.ctx.dropped_records == (0 if taken else 1)


def test_a_put_that_is_not_committed_hides_no_committed_window() -> None:
    living = Living(WindowSpec(name="st", key=raw, value=int64, retention=100, size=10))
    living.store.put(b"k", 1, 0)
    living.commit()
    view = living.store.committed()
    living.store.put(b"k", 2, 1_000_000)
    assert list(living.store.fetch(b"k", 0, 9)) == []
    assert list(view.fetch(b"k", 0, 9)) == [(0, 1)]
    living.crash()
    living.store.put(b"k", 3, 1_000)
    living.commit()
    assert list(living.store.committed().fetch(b"k", 0, 2_000)) == [(1_000, 3)]


def test_a_view_of_what_is_committed_moves_with_the_commits() -> None:
    living = Living(WindowSpec(name="st", key=raw, value=int64, retention=100_000, size=10))
    view = living.store.committed()
    for start in (0, 70_000, 140_000):
        living.store.put(b"k", start, start)
        living.commit()
    assert list(view.fetch(b"k", 0, LARGEST_LONG)) == [(70_000, 70_000), (140_000, 140_000)]
    assert view.get(b"k", 0) is None
