"""Session stores against a list of sessions and Java's rules (I4, I5)."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.errors import StoreRefused
from app.streams.model import Windowed
from app.streams.serdes import int64, raw
from app.streams.stores.specs import SessionSpec
from tests.streams.stores.living import Living, last_rows

RETENTION = 100_000
INTERVAL = 60_000
LARGEST_LONG = 2**63 - 1
KEYS = [b"", b"a", b"a\x00", b"ab", b"\xff"]
TIMES = st.one_of(
    st.integers(0, 12),
    st.sampled_from([59_999, 60_000, 100_001, 119_999, 160_000, 160_001, 220_000]),
    st.integers(0, 400_000),
)
LENGTHS = st.integers(0, 3) | st.integers(0, 70_000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), TIMES, LENGTHS, st.none() | st.integers(0, 9)),
        st.tuples(st.just("put"), st.sampled_from(KEYS), TIMES, LENGTHS, st.integers(0, 9)),
        st.tuples(st.just("remove"), st.sampled_from(KEYS), TIMES, LENGTHS),
        st.tuples(st.sampled_from(["seal", "applied", "commit", "crash"])),
    ),
    max_size=30,
)
KINDS = st.builds(
    lambda persistent, time_ordered: SessionSpec(
        name="st", key=raw, value=int64, retention=RETENTION, persistent=persistent, time_ordered=time_ordered
    ),
    st.booleans(),
    st.booleans(),
)


class State(NamedTuple):
    """rows: (key, start, end) → value, those of dropped segments gone."""

    rows: dict[tuple[bytes, int, int], int]
    stream_time: int
    dropped: int


class Model:
    def __init__(self, spec: SessionSpec) -> None:
        self.spec = spec
        self.state = self.committed = State({}, -1, 0)
        self.sealed: State | None = None

    def put(self, key: bytes, start: int, end: int, value: int | None) -> None:
        rows, stream_time, dropped = self.state
        stream_time = max(stream_time, end)
        oldest = (stream_time - RETENTION) // INTERVAL
        rows = {row: held for row, held in rows.items() if row[2] // INTERVAL >= oldest}
        refused = end // INTERVAL < oldest if self.spec.persistent else end <= stream_time - RETENTION
        if refused:
            dropped += 1
        else:
            rows.pop((key, start, end), None)
            if value is not None:
                rows[key, start, end] = value
        self.state = State(rows, stream_time, dropped)

    def remove(self, key: bytes, start: int, end: int) -> None:
        rows, stream_time, dropped = self.state
        if self.spec.persistent:
            stream_time = max(stream_time, end)
        self.state = State({row: held for row, held in rows.items() if row != (key, start, end)}, stream_time, dropped)

    def shown(
        self, lo: bytes | None, hi: bytes | None, earliest_end: int, latest_start: int, state: State
    ) -> list[Any]:
        earliest = max(earliest_end, state.stream_time - RETENTION + 1)
        return [
            (key, start, end, value)
            for (key, start, end), value in state.rows.items()
            if end >= earliest and start <= latest_start and (lo is None or key >= lo) and (hi is None or key <= hi)
        ]

    def order(self, row: Any) -> Any:
        key, start, end, _ = row
        if self.spec.persistent:
            return end // INTERVAL, key + end.to_bytes(8, "big") + start.to_bytes(8, "big")
        return end, key, -start


def pairs(rows: list[Any]) -> list[Any]:
    return [(Windowed(key, start, end), value) for key, start, end, value in rows]


def assert_reads(view: Any, model: Model, state: State) -> None:
    for key in (b"", b"a"):
        for earliest_end, latest_start in ((0, LARGEST_LONG), (5, 10), (60_000, 119_999), (200_000, 0)):
            rows = sorted(model.shown(key, key, earliest_end, latest_start, state), key=model.order)
            assert list(view.find_sessions(key, earliest_end, latest_start)) == pairs(rows)
            assert list(view.backward_find_sessions(key, earliest_end, latest_start)) == pairs(rows)[::-1]
        rows = sorted(model.shown(key, key, 0, LARGEST_LONG, state), key=model.order)
        assert list(view.fetch(key)) == pairs(rows)
        assert list(view.backward_fetch(key)) == pairs(rows)[::-1]
    for lo, hi in ((None, None), (b"a", b"ab"), (None, b"a\x00"), (b"a\x00", None), (b"b", b"a")):
        rows = sorted(model.shown(lo, hi, 3, 200_000, state), key=model.order)
        assert list(view.find_sessions_of_keys(lo, hi, 3, 200_000)) == pairs(rows)
        assert list(view.backward_find_sessions_of_keys(lo, hi, 3, 200_000)) == pairs(rows)[::-1]
        assert len(list(view.fetch_keys(lo, hi))) == len(model.shown(lo, hi, 0, LARGEST_LONG, state))
    for key, start, end in list(state.rows)[:5]:
        found = [value for *_, value in model.shown(key, key, end, LARGEST_LONG, state)]
        hidden = end < state.stream_time - RETENTION + 1
        assert view.get(key, start, end) == (None if hidden else state.rows[key, start, end])
        assert hidden or found
    assert view.get(b"nobody", 0, 0) is None


def assert_found_by_end(view: Any, model: Model, state: State) -> None:
    """Shown until their segment is dropped, if the store is persistent."""
    earliest = 0 if model.spec.persistent else state.stream_time - RETENTION + 1
    live = (state.stream_time - RETENTION) // INTERVAL if not model.spec.persistent else -1
    rows = [
        (key, start, end, value)
        for (key, start, end), value in state.rows.items()
        if max(earliest, 3) <= end <= 160_000 and end // INTERVAL >= live
    ]
    rows.sort(key=lambda row: (row[2], row[1], row[0]) if model.spec.persistent else (row[2], row[0], -row[1]))
    assert list(view.find_sessions_by_end(3, 160_000)) == pairs(rows)


def take(step: Any, living: Living, model: Model) -> None:
    match step:
        case ("put", key, start, length, value):
            living.store.put(key, start, start + length, value)
            model.put(key, start, start + length, value)
        case ("remove", key, start, length):
            living.store.remove(key, start, start + length)
            model.remove(key, start, start + length)
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
def test_a_session_store_is_a_list_with_rules(spec: SessionSpec, steps: list[Any], every_put: bool) -> None:
    living, model = Living(spec, every_put=every_put), Model(spec)
    for step in steps:
        take(step, living, model)
        assert living.ctx.dropped_records == model.state.dropped
    assert living.store.stream_time == model.state.stream_time
    assert_reads(living.store, model, model.state)
    assert_reads(living.store.committed(), model, model.committed)
    if spec.time_ordered or not spec.persistent:
        assert_found_by_end(living.store, model, model.state)
        assert_found_by_end(living.store.committed(), model, model.committed)
    else:
        with pytest.raises(StoreRefused, match="not ordered by time"):
            living.store.find_sessions_by_end(0, 1)


@settings(max_examples=100, deadline=None)
@given(KINDS, STEPS)
def test_a_restored_session_store_is_the_same(spec: SessionSpec, steps: list[Any]) -> None:
    living, model = Living(spec), Model(spec)
    for step in steps:
        if step[0] in ("put", "commit"):
            take(step, living, model)
    living.commit()
    restored = living.restarted().store
    assert restored.stream_time == model.state.stream_time
    assert_reads(restored, model, model.state)


@settings(max_examples=60, deadline=None)
@given(KINDS, STEPS)
def test_both_ways_of_logging_leave_the_same(spec: SessionSpec, steps: list[Any]) -> None:
    once, each = Living(spec), Living(spec, every_put=True)
    for step in steps:
        if step[0] in ("put", "remove"):
            take(step, once, Model(spec))
            take(step, each, Model(spec))
    rows = once.commit()
    each.commit()
    assert last_rows(rows) == last_rows(each.changelog)


def test_the_changelog_as_java_writes_it() -> None:
    living = Living(SessionSpec(name="st", key=raw, value=int64, retention=100))
    living.ctx.timestamp = 8
    living.store.put(b"k", 3, 7, 1)
    (row,) = living.commit()
    assert (row.key, row.value, row.timestamp) == (
        bytes.fromhex("6b" + "0000000000000007" + "0000000000000003"),
        bytes.fromhex("0000000000000001"),
        8,
    )
