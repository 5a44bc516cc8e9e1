"""What is committed and nothing else, in pages that are bounded and go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams import serdes
from app.streams.queries import (
    Budget,
    CommittedStore,
    Cursor,
    InvalidQuestion,
    Question,
    asked,
    is_readable,
)
from app.streams.queries.reading import Part
from app.streams.stores.specs import (
    GraceSpec,
    KeyValueSpec,
    LruSpec,
    SessionSpec,
    StoreSpec,
    SuppressSpec,
    VersionedSpec,
    WindowSpec,
)
from tests.streams.stores.living import Living

KV = KeyValueSpec(name="st", key=serdes.utf8, value=serdes.int64)
STAMPED = KeyValueSpec(name="st", key=serdes.utf8, value=serdes.int64, timestamped=True)
WINDOWS = WindowSpec(name="st", key=serdes.utf8, value=serdes.int64, retention=600_000, size=10, timestamped=True)
SESSIONS = SessionSpec(name="st", key=serdes.utf8, value=serdes.int64, retention=600_000)
VERSIONED = VersionedSpec(name="st", key=serdes.utf8, value=serdes.int64, history=1_000)


def reading(living: Living) -> CommittedStore:
    return CommittedStore(living.store, "app-st-changelog")


def every(
    ask: Callable[[Question, bytes | None, Budget], Part], *, limit: int, key: str | None = None, **parameters: str
) -> list[Any]:
    """All rows, page by page, through the cursors as they are written out."""
    question = asked("st", key, parameters.items())
    found: list[Any] = []
    after = None
    for _ in range(1000):
        part = ask(question, after, Budget(limit))
        assert len(part.rows) <= limit
        found += part.rows
        if part.after is None:
            return found
        after = Cursor.read(Cursor(3, part.after).text()).row
    raise AssertionError("the pages do not end")


def filled(spec: StoreSpec, *puts: tuple[Any, ...]) -> Living:
    living = Living(spec)
    for each in puts:
        living.store.put(*each)
    living.commit()
    return living


@dataclass(frozen=True)
class User:
    id: int


class TestCommitted:
    """Nothing of the open and nothing of the sealed layer is seen; all that was applied is."""

    @pytest.mark.parametrize(
        ("spec", "put", "key"),
        [
            (KV, ("a", 1), "a"),
            (STAMPED, ("a", 1, 5), "a"),
            (WINDOWS, ("a", 1, 50, 5), "a"),
            (SESSIONS, ("a", 50, 55, 1), "a"),
            (VERSIONED, ("a", 1, 50), "a"),
        ],
    )
    def test_by_kind(self, spec: StoreSpec, put: tuple[Any, ...], key: str) -> None:
        living = Living(spec)
        store = reading(living)

        def seen() -> list[Any]:
            found = every(store.rows_of, limit=5, key=key)
            assert every(store.page, limit=5) == found
            return found

        living.store.put(*put)
        assert seen() == []
        living.seal()
        assert seen() == []
        living.applied()
        assert [row["value"] for row in seen()] == [1]
        living.crash()
        assert [row["value"] for row in every(reading(living).page, limit=5)] == [1]

    @pytest.mark.parametrize("in_order", [True, False])
    def test_half_a_commit_is_not_seen(self, in_order: bool) -> None:
        """It enters the rows in slices."""
        living = filled(KV, *((f"k{number}", 1) for number in range(9)))
        store = reading(living)
        if in_order:
            every(store.page, limit=100)
        for number in range(4, 12):
            living.store.put(f"k{number:x}", 2)
        living.store.put("k0", None)
        living.seal()
        old = {f"k{number}": 1 for number in range(9)}
        slices = living.store.applying(99, slice_ms=0)
        seen = 0
        for _ in slices:
            if store.position == 99:
                break
            seen += 1
            assert {row["key"]: row["value"] for row in every(store.page, limit=4)} == old
            assert every(store.rows_of, limit=1, key="k0") == [{"key": "k0", "value": 1}]
            assert every(store.rows_of, limit=1, key="kb") == []
            inside = living.store.committed()
            assert (dict(inside.all()), inside.get("k5"), inside.get("kb")) == (old, 1, None)
        assert seen > 4
        assert {row["key"]: row["value"] for row in every(store.page, limit=4)} == {
            **{f"k{number}": 1 for number in range(1, 4)},
            **{f"k{number:x}": 2 for number in range(4, 12)},
        }

    def test_a_store_that_was_only_restored_answers_too(self) -> None:
        living = filled(WINDOWS, ("a", 1, 50, 5))
        assert every(reading(living.restarted()).page, limit=5) == every(reading(living).page, limit=5)

    def test_uncommitted_time_hides_no_committed_window(self) -> None:
        living = filled(WINDOWS, ("a", 1, 50, 5))
        living.store.put("b", 2, 10_000_000, 5)
        assert [row["key"] for row in every(reading(living).page, limit=5)] == ["a"]
        living.commit()
        assert [row["key"] for row in every(reading(living).page, limit=5)] == ["b"]


class TestKinds:
    def test_key_value(self) -> None:
        store = reading(filled(KV, *((f"k{number:02}", number) for number in range(30))))
        assert every(store.rows_of, limit=5, key="k07") == [{"key": "k07", "value": 7}]
        assert every(store.rows_of, limit=5, key="no") == []
        for limit in (1, 7, 30, 100):
            assert [row["value"] for row in every(store.page, limit=limit)] == list(range(30))
            found = every(store.page, limit=limit, **{"from": "k05", "to": "k08"})
            assert [row["value"] for row in found] == [5, 6, 7, 8]
            found = every(store.page, limit=limit, prefix="k1")
            assert [row["value"] for row in found] == list(range(10, 20))
            found = every(store.page, limit=limit, prefix="k1", **{"from": "k18", "to": "k25"})
            assert [row["value"] for row in found] == [18, 19]
        assert every(store.page, limit=5, **{"from": "k9", "to": "k0"}) == []

    def test_the_empty_key_is_one_row_of_a_page(self) -> None:
        store = reading(filled(KV, ("", 0), ("a", 1)))
        assert [row["value"] for row in every(store.page, limit=1)] == [0, 1]

    def test_timestamped_and_lru(self) -> None:
        [row] = every(reading(filled(STAMPED, ("a", 1, 77))).page, limit=5)
        assert row == {"key": "a", "value": 1, "timestamp": 77}
        lru = LruSpec(name="st", key=serdes.utf8, value=serdes.int64, capacity=2)
        store = reading(filled(lru, ("a", 1), ("b", 2), ("c", 3)))
        assert [row["key"] for row in every(store.page, limit=5)] == ["b", "c"]

    def test_windows_by_key_and_by_time(self) -> None:
        # Over several segments, and with keys of which one begins with another.
        puts = [(key, start, start * 1000, 9) for start in range(0, 400, 20) for key in ("a", "ab", "b")]
        store = reading(filled(WINDOWS, *puts))
        for limit in (1, 4, 100):
            found = every(store.rows_of, limit=limit, key="a", **{"from": "40000", "to": "80000"})
            assert [row["value"] for row in found] == [40, 60, 80]
            assert found[0] == {"key": "a", "start": 40_000, "end": 40_010, "value": 40, "timestamp": 9}
            found = every(store.page, limit=limit, **{"from": "40000", "to": "60000"})
            assert {(row["key"], row["value"]) for row in found} == {
                (key, value) for key in ("a", "ab", "b") for value in (40, 60)
            }
            assert len(every(store.page, limit=limit)) == len(puts)
            assert {row["key"] for row in every(store.page, limit=limit, prefix="ab")} == {"ab"}

    def test_a_short_key_and_its_time_do_not_look_like_a_prefix(self) -> None:
        start = int.from_bytes(b"\x00\x00\x00\x00\x00b\x00\x00", "big")
        store = reading(filled(WINDOWS, ("a", 1, start, 9)))
        assert every(store.page, limit=5, prefix="a\x00") == []
        assert len(every(store.page, limit=5, prefix="a")) == 1

    def test_duplicates_in_a_window_are_all_given(self) -> None:
        spec = WindowSpec(
            name="st", key=serdes.utf8, value=serdes.int64, retention=600_000, size=10, retain_duplicates=True
        )
        store = reading(filled(spec, *(("a", number, 50) for number in range(5))))
        for limit in (1, 2, 10):
            assert [row["value"] for row in every(store.rows_of, limit=limit, key="a")] == list(range(5))

    def test_windows_beyond_retention_are_hidden(self) -> None:
        store = reading(filled(WINDOWS, ("a", 1, 0, 9), ("a", 2, 600_000, 9), ("b", 3, 1, 9)))
        assert [row["value"] for row in every(store.rows_of, limit=5, key="a")] == [2]
        assert sorted(row["value"] for row in every(store.page, limit=5)) == [2, 3]

    def test_sessions_that_touch_the_times(self) -> None:
        puts = [(key, start, start + 15_000, start) for start in range(0, 300_000, 30_000) for key in ("a", "b")]
        store = reading(filled(SESSIONS, *puts))
        for limit in (1, 3, 100):
            found = every(store.rows_of, limit=limit, key="a", **{"from": "45000", "to": "90000"})
            assert found[0] == {"key": "a", "start": 30_000, "end": 45_000, "value": 30_000}
            assert [row["start"] for row in found] == [30_000, 60_000, 90_000]
            found = every(store.page, limit=limit, **{"from": "45001", "to": "60000"})
            assert sorted((row["key"], row["start"]) for row in found) == [("a", 60_000), ("b", 60_000)]
            assert len(every(store.page, limit=limit)) == len(puts)

    def test_versions(self) -> None:
        living = filled(VERSIONED, ("a", 1, 10), ("a", 2, 20), ("a", None, 30), ("b", 4, 15), ("b", 5, 25))
        store = reading(living)
        assert every(store.rows_of, limit=5, key="b") == [{"key": "b", "value": 5, "timestamp": 25}]
        assert every(store.rows_of, limit=5, key="a") == []
        assert [row["value"] for row in every(store.rows_of, limit=5, key="a", as_of="19")] == [1]
        for limit in (1, 10):
            found = every(store.rows_of, limit=limit, key="a", **{"from": "0"})
            assert [(row["value"], row["timestamp"], row["valid_to"]) for row in found] == [(1, 10, 20), (2, 20, 30)]
            assert [row["value"] for row in every(store.page, limit=limit)] == [5]
            assert [row["value"] for row in every(store.page, limit=limit, as_of="22")] == [2, 4]
        with pytest.raises(InvalidQuestion):
            every(store.page, limit=5, **{"from": "0"})
        with pytest.raises(InvalidQuestion):
            every(store.rows_of, limit=5, key="a", as_of="1", **{"from": "0"})

    def test_uncommitted_time_hides_no_version(self) -> None:
        living = filled(VERSIONED, ("a", 1, 10), ("a", 2, 20))
        living.store.put("b", 3, 100_000)
        store = reading(living)
        assert [row["value"] for row in every(store.rows_of, limit=5, key="a", as_of="15")] == [1]
        assert [row["value"] for row in every(store.page, limit=5, as_of="15")] == [1]
        living.commit()
        assert every(store.rows_of, limit=5, key="a", as_of="15") == []
        assert every(store.page, limit=5, as_of="15") == []
        assert [row["value"] for row in every(store.page, limit=5, as_of=str(2**63 - 1))] == [2, 3]
        assert every(store.page, limit=5, as_of="-1") == []

    @given(
        st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 9), st.integers(0, 2_500)), max_size=12),
        st.integers(-1, 2_600),
        st.integers(-1, 2_600),
    )
    def test_versions_are_those_of_the_store_itself(
        self, puts: list[tuple[str, int | None, int]], lower: int, upper: int
    ) -> None:
        living = filled(VERSIONED, *puts)
        store, view = reading(living), living.store.committed()
        for key in "ab":
            found = every(store.rows_of, limit=2, key=key, **{"from": str(lower), "to": str(upper)})
            versions = view.versions(key, max(lower, 0), upper, ascending=True)
            assert [(row["value"], row["timestamp"], row.get("valid_to")) for row in found] == [
                tuple(v) for v in versions
            ]
            valid = view.get(key, lower)
            rows = every(store.rows_of, limit=2, key=key, as_of=str(lower))
            assert [(row["value"], row["timestamp"]) for row in rows] == ([] if valid is None else [valid[:2]])

    def test_a_question_that_the_kind_of_store_has_no_answer_to(self) -> None:
        for spec, key, parameter in (
            (KV, None, "as_of"),
            (KV, "a", "as_of"),
            (KV, "a", "from"),
            (KV, "a", "to"),
            (WINDOWS, "a", "as_of"),
            (SESSIONS, None, "as_of"),
        ):
            store = reading(Living(spec))
            with pytest.raises(InvalidQuestion, match="nothing here"):
                every(store.page if key is None else store.rows_of, limit=5, key=key, **{parameter: "1"})

    def test_buffers_answer_no_questions(self) -> None:
        assert not is_readable(SuppressSpec(name="st", key=serdes.utf8, value=serdes.utf8))
        assert not is_readable(GraceSpec(name="st", key=serdes.utf8, value=serdes.utf8, grace=1))
        assert is_readable(KV)


class TestBounds:
    def test_a_page_looks_at_no_more_rows_than_its_budget(self) -> None:
        store = reading(filled(WINDOWS, *(("a", number, number, 9) for number in range(500))))
        question = asked("st", None, [("from", "499")])
        part = store.page(question, None, Budget(10, examined=100))
        assert part.rows == []
        assert part.after is not None
        part = store.page(question, part.after, Budget(10))
        assert [row["value"] for row in part.rows] == [499]
        assert part.after is None

    def test_the_versions_of_one_key_are_no_more_than_the_budget_either(self) -> None:
        spec = VersionedSpec(name="st", key=serdes.utf8, value=serdes.int64, history=10_000)
        store = reading(filled(spec, *(("a", number, number) for number in range(500))))
        question = asked("st", "a", [("from", "0")])
        part = store.rows_of(question, None, Budget(1000, examined=100))
        assert len(part.rows) == 100
        assert [row["value"] for row in store.rows_of(question, part.after, Budget(2)).rows] == [100, 101]
        # None of them is shown, and it goes on.
        question = asked("st", "a", [("from", "300"), ("to", "300")])
        part = store.rows_of(question, None, Budget(1000, examined=100))
        assert part.rows == []
        assert part.after is not None

    def test_a_page_has_no_more_bytes_than_its_budget(self) -> None:
        spec = KeyValueSpec(name="st", key=serdes.utf8, value=serdes.utf8)
        store = reading(filled(spec, *((str(number), "x" * 1000) for number in range(9))))
        assert len(store.page(asked("st", None, []), None, Budget(1000, bytes=3000)).rows) == 3

    @settings(max_examples=50)
    @given(st.binary(max_size=40))
    @pytest.mark.parametrize(
        ("spec", "put"),
        [(KV, ("a", 1)), (WINDOWS, ("a", 1, 5, 1)), (SESSIONS, ("a", 5, 6, 1)), (VERSIONED, ("a", 1, 5))],
    )
    def test_a_cursor_of_any_bytes_does_no_harm(self, spec: StoreSpec, put: tuple[Any, ...], row: bytes) -> None:
        store = reading(filled(spec, put))
        for question in (Question(store="st", key="a", lower=None if spec is KV else "0"), Question(store="st")):
            if question.key is None:
                assert len(store.page(question, row, Budget(5)).rows) <= 1
            else:
                assert len(store.rows_of(question, row, Budget(5)).rows) <= 1


class TestValues:
    @pytest.mark.parametrize(
        ("serde", "value", "shown"),
        [
            (serdes.json(User), User(2**63 - 1), {"id": 2**63 - 1}),
            (serdes.raw, b"\x00\xff", {"base64": "AP8="}),
            (serdes.float64, float("nan"), "nan"),
            (serdes.listing(serdes.raw), [b"a", None], ["YQ==", None]),
        ],
    )
    def test_as_json(self, serde: Any, value: Any, shown: Any) -> None:
        spec = KeyValueSpec(name="st", key=serdes.utf8, value=serde)
        [row] = every(reading(filled(spec, ("a", value))).page, limit=5)
        assert row["value"] == shown

    def test_a_value_that_its_serde_cannot_read_hides_no_other(self) -> None:
        living = Living(KV)
        living.store.restore([(b"a", b"short", 0, ()), (b"b", (7).to_bytes(8, "big"), 0, ())], 2)
        first, second = every(reading(living).page, limit=5)
        assert first["value"] == {"base64": "c2hvcnQ="}
        assert "unreadable" in first
        assert second == {"key": "b", "value": 7}

    def test_nor_does_a_version(self) -> None:
        text = VersionedSpec(name="st", key=serdes.utf8, value=serdes.raw, history=1_000)
        base = filled(text, ("a", b"short", 1), ("b", (7).to_bytes(8, "big"), 1)).base
        living = Living(VERSIONED)
        living.base = base
        living.crash()
        store = reading(living)
        first, second = every(store.page, limit=5)
        assert (first["value"], "unreadable" in first) == ({"base64": "c2hvcnQ="}, True)
        assert second["value"] == 7
        assert every(store.rows_of, limit=5, key="a") == [first]
        assert every(store.rows_of, limit=5, key="a", **{"from": "0"}) == [first]


class TestPositions:
    def test_the_changelog_position_of_what_is_shown(self) -> None:
        living = filled(KV, ("a", 1), ("b", 2))
        assert reading(living).position == 2
        living.store.put("c", 3)
        living.seal()
        assert reading(living).position == 2
