"""Key-value stores against a dictionary, whatever is committed, crashes or restarts between."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.errors import TaskMisused
from app.streams.serdes import int64, raw, utf8
from app.streams.stores.key_value import after_prefix
from app.streams.stores.specs import KeyValueSpec, LruSpec
from tests.streams.stores.living import Living, last_rows

PLAIN = KeyValueSpec(name="st", key=utf8, value=utf8)
TIMED = KeyValueSpec(name="st", key=raw, value=int64, timestamped=True)
KEYS = st.sampled_from([b"", b"a", b"a\x00", b"ab", b"b", b"\xff", b"\xff\xff", b"c"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.none() | st.integers(0, 9), st.integers(0, 50)),
        st.tuples(st.just("absent"), KEYS, st.integers(0, 9), st.integers(0, 50)),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.sampled_from(["seal", "applied", "commit", "crash"])),
    ),
    max_size=40,
)


class Model:
    """What a timestamped store should hold, and what of it is committed."""

    def __init__(self) -> None:
        self.rows: dict[bytes, tuple[int, int]] = {}
        self.sealed: dict[bytes, tuple[int, int]] | None = None
        self.committed: dict[bytes, tuple[int, int]] = {}

    def take(self, step: Any, living: Living) -> None:
        store = living.store
        match step:
            case ("put", key, value, timestamp):
                store.put(key, value, timestamp)
                self._put(key, value, timestamp)
            case ("absent", key, value, timestamp):
                assert store.put_if_absent(key, value, timestamp) == self.rows.get(key)
                if key not in self.rows:
                    self._put(key, value, timestamp)
            case ("delete", key):
                assert store.delete(key) == self.rows.pop(key, None)
            case ("seal",) if not living.is_sealed:
                living.seal()
                self.sealed = dict(self.rows)
            case ("applied",) if self.sealed is not None:
                living.applied()
                self.committed, self.sealed = self.sealed, None
            case ("commit",) if not living.is_sealed:
                living.commit()
                self.committed = dict(self.rows)
            case ("crash",):
                living.crash()
                self.rows, self.sealed = dict(self.committed), None

    def _put(self, key: bytes, value: int | None, timestamp: int) -> None:
        if value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = (value, timestamp)


def assert_reads(view: Any, rows: dict[bytes, Any]) -> None:
    ordered = sorted(rows.items())
    assert list(view.all()) == ordered
    assert list(view.reverse_all()) == ordered[::-1]
    assert view.approximate_num_entries() == len(rows)
    for key in (b"", b"a", b"a\x00", b"b", b"\xff", b"zz"):
        assert view.get(key) == rows.get(key)
        assert view.get_row(key) == rows.get(key)
        prefixed = [row for row in ordered if row[0].startswith(key)]
        assert list(view.prefix_scan(key, bytes)) == prefixed
    for lo, hi in ((b"a", b"ab"), (None, b"a"), (b"ab", None), (b"c", b"a"), (b"a\x00", b"a\x00")):
        between = [row for row in ordered if (lo is None or row[0] >= lo) and (hi is None or row[0] <= hi)]
        assert list(view.range(lo, hi)) == between
        assert list(view.reverse_range(lo, hi)) == between[::-1]


@settings(max_examples=150, deadline=None)
@given(STEPS, st.booleans())
def test_a_timestamped_store_is_a_dictionary(steps: list[Any], every_put: bool) -> None:
    living, model = Living(TIMED, every_put=every_put), Model()
    for step in steps:
        model.take(step, living)
        assert_reads(living.store, model.rows)
        assert_reads(living.store.committed(), model.committed)
    if not living.is_sealed:
        living.commit()
        assert_reads(living.restarted().store, model.rows)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_both_ways_of_logging_leave_the_same(steps: list[Any]) -> None:
    puts = [step for step in steps if step[0] in ("put", "absent", "delete")]
    once, each = Living(TIMED), Living(TIMED, every_put=True)
    models = Model(), Model()
    for step in puts:
        models[0].take(step, once)
        models[1].take(step, each)
    rows = once.commit()
    each.commit()
    assert last_rows(rows) == last_rows(each.changelog)
    assert len({row.key for row in rows}) == len(rows)


def test_plain_store_logs_with_the_time_of_the_record() -> None:
    living = Living(PLAIN)
    living.ctx.timestamp = 5
    living.store.put("a", "1")
    living.ctx.timestamp = 6
    living.store.put("b", "2")
    living.ctx.timestamp = 7
    living.store.put("a", "3")
    assert living.store.delete("zz") is None
    rows = [(row.key, row.value, row.timestamp, row.topic, row.partition, row.headers) for row in living.commit()]
    assert rows == [
        (b"b", b"2", 6, "app-st-changelog", 0, ()),
        (b"a", b"3", 7, "app-st-changelog", 0, ()),
        (b"zz", None, 7, "app-st-changelog", 0, ()),
    ]
    assert living.commit() == []


def test_timestamped_store_logs_the_value_s_time_and_the_record_s_for_a_deletion() -> None:
    living = Living(TIMED, every_put=True)
    living.ctx.timestamp = 10
    living.store.put(b"k", 1, 3)
    living.store.put(b"k", None, 3)
    assert [(row.value, row.timestamp) for row in living.sent] == [((1).to_bytes(8, "big"), 3), (None, 10)]
    assert living.store.seal() == []


def test_a_store_without_a_changelog_logs_nothing() -> None:
    for every_put in (False, True):
        living = Living(PLAIN, every_put=every_put, logged=False)
        living.store.put("a", "1")
        assert living.commit() == []
        assert living.store.committed().get("a") == "1"


def test_rows_may_change_while_they_are_read() -> None:
    living = Living(PLAIN)
    for number in range(300):
        living.store.put(f"{number:03}", "x")
        if number == 150:
            living.commit()
    seen = []
    for key, _ in living.store.all():
        seen.append(key)
        living.store.delete(key)
        living.store.put(key + "!", "y") if len(key) == 3 else None
    assert [key for key in seen if len(key) == 3] == [f"{number:03}" for number in range(300)]
    assert list(living.store.all()) == [(f"{number:03}!", "y") for number in range(300) if f"{number:03}!" not in seen]


def test_put_all_and_put_if_absent_of_nothing() -> None:
    living = Living(PLAIN)
    living.store.put_all([("a", "1"), ("b", None), ("a", "2")])
    assert living.store.put_if_absent("c", None) is None
    assert [(row.key, row.value) for row in living.commit()] == [(b"b", None), (b"a", b"2"), (b"c", None)]


def test_the_position_is_committed_with_the_rows() -> None:
    living = Living(PLAIN)
    assert living.store.statistics().position is None
    living.store.put("a", "1")
    living.seal()
    assert (living.store.statistics().sealed, living.store.statistics().committed) == (1, 0)
    living.applied()
    statistics = living.store.statistics()
    assert (statistics.position, statistics.committed, statistics.dirty, statistics.sealed) == (1, 1, 0, 0)
    assert living.restarted().store.statistics().position == 7


def test_one_commit_at_a_time() -> None:
    living = Living(PLAIN)
    with pytest.raises(TaskMisused):
        living.store.applied()
    living.store.seal()
    with pytest.raises(TaskMisused):
        living.store.seal()


@given(st.binary(max_size=4), st.binary(max_size=6))
def test_after_prefix(prefix: bytes, key: bytes) -> None:
    end = after_prefix(prefix)
    assert key.startswith(prefix) == (key >= prefix and (end is None or key < end))


LRU = LruSpec(name="st", key=utf8, value=utf8, capacity=2)


def test_lru_evicts_the_key_used_longest_ago_and_logs_it_first() -> None:
    living = Living(LRU, every_put=True)
    store = living.store
    store.put("a", "1")
    store.put("b", "2")
    assert store.get("a") == "1"
    store.put("c", "3")
    assert [(row.key, row.value) for row in living.sent][2:] == [(b"b", None), (b"c", b"3")]
    assert (store.get("b"), store.get("a"), store.get("c")) == (None, "1", "3")
    assert store.approximate_num_entries() == 2


def test_lru_restores_without_logging() -> None:
    living = Living(LRU)
    living.store.restore([(key, b"v", 0, ()) for key in (b"a", b"b", b"c")])
    assert [living.store.get(key) for key in "abc"] == [None, "v", "v"]
    assert living.commit() == []


def test_lru_logs_as_java_what_one_put_all_puts_and_evicts() -> None:
    """All evictions, then all puts: rows that did not stay are in the changelog, and a restore evicts them again."""
    each, once = Living(LRU, every_put=True), Living(LRU)
    for living in (each, once):
        living.store.put_all([("a", "1"), ("b", "2"), ("c", "3")])
        living.commit()
        assert list(living.store.all()) == [("b", "2"), ("c", "3")]
        assert list(living.restarted().store.all()) == [("b", "2"), ("c", "3")]
    logged = [(row.key, row.value) for row in each.changelog]
    assert logged == [(b"a", None), (b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
    assert last_rows(once.changelog) == last_rows(each.changelog)


def test_lru_scans_in_the_order_of_keys_and_use_none() -> None:
    store = Living(LRU).store
    store.put("b", "1")
    store.put("a", "2")
    assert list(store.all()) == [("a", "2"), ("b", "1")]
    assert list(store.reverse_range("a", "b")) == [("b", "1"), ("a", "2")]
    store.put("c", "3")
    assert [key for key, _ in store.all()] == ["a", "c"]


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_lru_never_holds_more_and_its_changelog_says_the_same(steps: list[Any]) -> None:
    living = Living(LruSpec(name="st", key=raw, value=int64, capacity=3))
    model: dict[bytes, int] = {}
    committed: dict[bytes, int] = {}
    for step in steps:
        match step:
            case ("put", key, value, _):
                living.store.put(key, value)
                model.pop(key, None)
                if value is not None:
                    model[key] = value
                    if len(model) > 3:
                        del model[next(iter(model))]
            case ("commit",):
                living.commit()
                committed = copy.copy(model)
            case ("crash",):
                living.crash()
                # The order of use is not committed: it begins anew with that of the keys.
                model = dict(sorted(committed.items()))
        assert living.store.approximate_num_entries() == len(model)
    assert {key: living.store.get(key) for key in model} == model
    living.commit()
    restored = living.restarted().store
    assert {key: restored.get(key) for key in model} == model
    assert restored.approximate_num_entries() == len(model)
