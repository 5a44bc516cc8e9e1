"""Versioned stores against a list of versions for each key (I6, I7)."""

from bisect import bisect_left, bisect_right
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.serdes import int64, raw
from app.streams.stores import versioned
from app.streams.stores.specs import VersionedSpec
from app.streams.stores.versioned import NOT_PUT, SUFFIX, VALID_TO_UNDEFINED, VersionedRecord, default_segment_interval
from tests.streams.stores.living import Living

HISTORY = 50
SPEC = VersionedSpec(name="st", key=raw, value=int64, history=HISTORY, segment_interval=20)
KEYS = [b"", b"a", b"a\x00"]
TIMES = st.integers(0, 30) | st.integers(0, 200)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.none() | st.integers(0, 9), TIMES),
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.integers(0, 9), TIMES),
        st.tuples(st.just("delete"), st.sampled_from(KEYS), TIMES),
        st.tuples(st.sampled_from(["seal", "applied", "commit", "crash"])),
    ),
    max_size=40,
)


class Model:
    """All versions there ever were: (key) → sorted times, and what the key was from then on; None: nothing.

    `open` are the deletions that came as the latest version: behind one of them, deleting the latest version at its own
    time leaves nothing, as where it was the first.
    """

    def __init__(self) -> None:
        self.versions: dict[bytes, dict[int, int | None]] = {}
        self.open: set[tuple[bytes, int]] = set()
        self.stream_time = -1
        self.dropped = 0

    def copy(self) -> "Model":
        other = Model()
        other.versions = {key: dict(versions) for key, versions in self.versions.items()}
        other.open, other.stream_time, other.dropped = set(self.open), self.stream_time, self.dropped
        return other

    def put(self, key: bytes, value: int | None, timestamp: int) -> int:
        if timestamp < self.stream_time - HISTORY:
            self.dropped += 1
            return NOT_PUT
        self.stream_time = max(self.stream_time, timestamp)
        versions = self.versions.setdefault(key, {})
        times = sorted(versions)
        later = times[bisect_right(times, timestamp) :]
        before = times[: bisect_left(times, timestamp)]
        first = not before or (key, before[-1]) in self.open
        if value is None and not later and first and versions.get(timestamp) is not None:
            del versions[timestamp]
            return VALID_TO_UNDEFINED
        versions[timestamp] = value
        self.open.discard((key, timestamp))
        if value is None and not later:
            self.open.add((key, timestamp))
        return later[0] if later else VALID_TO_UNDEFINED

    def get(self, key: bytes, as_of: int | None = None) -> Any:
        versions = self.versions.get(key, {})
        times = sorted(versions)
        if as_of is not None and as_of < self.stream_time - HISTORY:
            return self.get(key) if times and times[-1] <= as_of else None
        at = len(times) if as_of is None else bisect_right(times, as_of)
        if at == 0 or versions[times[at - 1]] is None:
            return None
        return VersionedRecord(versions[times[at - 1]], times[at - 1])


def assert_reads(view: Any, model: Model) -> None:
    for key in KEYS:
        assert view.get(key) == model.get(key)
        for as_of in (
            -1,
            0,
            1,
            10,
            29,
            30,
            100,
            model.stream_time - HISTORY - 1,
            model.stream_time - HISTORY,
            200,
            900,
        ):
            assert view.get(key, as_of) == model.get(key, as_of)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_a_versioned_store_is_a_list_of_versions(steps: list[Any], every_put: bool) -> None:
    living, model = Living(SPEC, every_put=every_put), Model()
    committed, sealed = Model(), None
    for step in steps:
        match step:
            case ("put", key, value, timestamp):
                assert living.store.put(key, value, timestamp) == model.put(key, value, timestamp)
            case ("delete", key, timestamp):
                late = timestamp < model.stream_time - HISTORY
                expected = None if late else model.get(key, timestamp)
                assert living.store.delete(key, timestamp) == expected
                model.put(key, None, timestamp)
            case ("seal",) if not living.is_sealed:
                living.seal()
                sealed = model.copy()
            case ("applied",) if sealed is not None:
                living.applied()
                committed, sealed = sealed, None
            case ("commit",) if not living.is_sealed:
                living.commit()
                committed = model.copy()
            case ("crash",):
                living.crash()
                committed.dropped = model.dropped
                model, sealed = committed.copy(), None
        assert_reads(living.store, model)
        assert living.ctx.dropped_records == model.dropped
    if not living.is_sealed:
        living.commit()
        assert_reads(living.restarted().store, model)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_every_put_is_logged_in_its_order_refused_ones_too(steps: list[Any]) -> None:
    once, each = Living(SPEC), Living(SPEC, every_put=True)
    expected = []
    for step in steps:
        if step[0] == "put":
            _, key, value, timestamp = step
            once.store.put(key, value, timestamp)
            each.store.put(key, value, timestamp)
            expected.append((key, None if value is None else value.to_bytes(8, "big"), timestamp))
    rows = once.commit()
    assert [(row.key, row.value, row.timestamp) for row in rows] == expected
    assert [(row.key, row.value, row.timestamp) for row in each.commit()] == expected


def test_versions_tell_until_when_they_are_valid() -> None:
    store = Living(SPEC).store
    for value, timestamp in ((1, 10), (2, 20), (None, 30), (3, 40)):
        store.put(b"k", value, timestamp)
    assert list(store.versions(b"k", 0, 100)) == [
        VersionedRecord(3, 40, None),
        VersionedRecord(2, 20, 30),
        VersionedRecord(1, 10, 20),
    ]
    assert list(store.versions(b"k", 20, 39, ascending=True)) == [VersionedRecord(2, 20, 30)]
    assert list(store.versions(b"k", 19, 20, ascending=True)) == [
        VersionedRecord(1, 10, 20),
        VersionedRecord(2, 20, 30),
    ]


def test_what_no_question_can_reach_is_forgotten() -> None:
    living = Living(SPEC)
    for timestamp in range(1000):
        living.store.put(b"k", timestamp, timestamp)
        living.store.put(b"gone", None if timestamp >= 500 else timestamp, min(timestamp, 500))
        if timestamp % 100 == 0:
            living.commit()
    living.commit()
    # The history and a segment beyond it, no more; of the deleted key nothing.
    assert len(living.base) <= HISTORY + 2 * 20
    assert not list(living.store.versions(b"gone", 0, 2000))
    assert living.store.statistics().stream_time == 999


def test_a_segment_is_forgotten_a_few_keys_at_a_put() -> None:
    living = Living(SPEC)
    for key in range(200):
        for timestamp in (1, 5):
            living.store.put(key.to_bytes(2, "big"), timestamp, timestamp)
    living.commit()
    living.store.put(b"other", 0, 500)
    assert living.store.dirty < 20, "whoever puts the first row of another time does not wait for all that it ends"
    for at in range(200):
        living.store.put(b"other", at, 501)
    living.commit()
    assert living.store.statistics().committed == 200 + 2


def test_what_is_being_written_hides_nothing_from_a_query() -> None:
    living = Living(SPEC)
    living.store.put(b"k", 1, 5)
    living.store.put(b"k", 2, 15)
    living.commit()
    view = living.store.committed()
    living.store.put(b"other", 0, 1_000)
    assert living.store.get(b"k", 10) is None
    assert view.get(b"k", 10) == VersionedRecord(1, 5)
    assert len(list(view.versions(b"k", 0, 20))) == 2
    living.commit()
    assert view.get(b"k", 10) is None


def test_refused_puts_are_rows_of_the_next_commit() -> None:
    living = Living(SPEC)
    living.store.put(b"k", 1, 1_000)
    for at in range(10):
        assert living.store.put(b"k", at, at) == NOT_PUT
    assert living.store.dirty == 11
    assert len(living.commit()) == 11
    assert living.store.dirty == 0


@pytest.mark.parametrize(
    ("history", "interval"),
    [
        (0, 2_000),
        (60_000, 20_000),
        (60_001, 20_000),
        (300_000, 60_000),
        (300_001, 60_000),
        (3_600_000, 300_000),
        (7_200_000, 300_000),
        (86_400_000, 3_600_000),
    ],
)
def test_segments_by_history(history: int, interval: int) -> None:
    assert default_segment_interval(history) == interval


@pytest.mark.parametrize("looked_through", [2, 3, 1_000])
def test_versions_of_an_earlier_life_are_forgotten_in_time(
    looked_through: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versioned, "_LOOKED_THROUGH", looked_through)
    living = Living(SPEC)
    for key in (b"a", b"b", b"gone"):
        living.store.put(key, 1, 1)
        living.store.put(key, None if key == b"gone" else 2, 5)
    living.commit()
    assert living.store.statistics().committed == 6
    living.crash()
    for at in range(10):
        # Nothing is said of the others any more.
        living.store.put(b"other", at, 200 + at * 20)
        living.commit()
    assert {row[:-SUFFIX] for row, _ in living.base.scan(None, None)} == {b"a", b"b", b"other"}
    assert living.store.get(b"a") == VersionedRecord(2, 5)
    assert len([row for row, _ in living.base.scan(b"a", b"c")]) == 2
