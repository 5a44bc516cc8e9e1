"""Questions to stores: keys as text, what is committed and nothing else, pages that are bounded and go on."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams import serdes
from app.streams.hashing import partition_for
from app.streams.model import TopicPartition, Windowed
from app.streams.queries import (
    Budget,
    CommittedStore,
    Cursor,
    InvalidQuestion,
    Keys,
    NotUpToBound,
    Question,
    asked,
    is_readable,
    positions,
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


class TestKeys:
    @pytest.mark.parametrize(
        ("serde", "text", "key", "shown"),
        [
            (serdes.utf8, "a/ü", "a/ü", "a/ü"),
            (serdes.utf8, "", "", ""),
            (serdes.int64, "-42", -42, -42),
            (serdes.int32, "7", 7, 7),
            (serdes.float64, "0.5", 0.5, 0.5),
            (serdes.raw, "00ff", b"\x00\xff", "00ff"),
            (serdes.uuid, "00000000-0000-0000-0000-000000000001", uuids.UUID(int=1), str(uuids.UUID(int=1))),
            (serdes.json(), '"ann"', "ann", "ann"),
            (serdes.json(), '{"id": 1}', {"id": 1}, {"id": 1}),
            (serdes.json(User), '{"id":1}', User(1), {"id": 1}),
            (
                serdes.windowed(serdes.utf8, 10),
                '{"key": "a", "start": 20}',
                Windowed("a", 20, 30),
                {"key": "a", "start": 20, "end": 30},
            ),
            (
                serdes.session_windowed(serdes.json()),
                '{"key": {"id": 1}, "start": 20, "end": 25}',
                Windowed({"id": 1}, 20, 25),
                {"key": {"id": 1}, "start": 20, "end": 25},
            ),
        ],
    )
    def test_text_to_bytes_and_back(self, serde: Any, text: str, key: Any, shown: Any) -> None:
        keys = Keys(serde, "t")
        data = keys.read(text)
        assert data == serde.serializer("t")(key)
        assert keys.shown(data) == shown
        assert keys.read(data.hex(), "hex") == data

    @pytest.mark.parametrize(
        ("serde", "text", "form", "why"),
        [
            (serdes.int64, "x", "text", "the keys are int64, and 'x' is none"),
            (serdes.int32, str(2**31), "text", "the keys are int32"),
            (serdes.json(), "ann", "text", 'a text is written in quotes, as "ann"'),
            (serdes.json(User), '{"name":1}', "text", "the keys are json"),
            (serdes.uuid, "1", "text", "the keys are uuid"),
            (serdes.raw, "0g", "text", "the keys are raw"),
            (serdes.listing(serdes.utf8), "a", "text", "key_form=hex or base64"),
            (serdes.windowed(serdes.utf8, 10), "a", "text", "a windowed key is written"),
            (serdes.windowed(serdes.utf8, 10), '{"key":"a","start":"1"}', "text", "whole milliseconds"),
            (serdes.utf8, "0g", "hex", "is not the hex of bytes"),
            (serdes.utf8, "*", "base64", "is not the base64 of bytes"),
        ],
    )
    def test_what_is_no_key_is_refused_with_what_is_wanted(self, serde: Any, text: str, form: Any, why: str) -> None:
        with pytest.raises(InvalidQuestion) as caught:
            Keys(serde, "t").read(text, form)
        assert why in str(caught.value)

    def test_keys_without_a_text_are_shown_as_bytes_that_can_be_asked_for(self) -> None:
        serde = serdes.listing(serdes.utf8)
        keys = Keys(serde, "t")
        data = serde.serializer("t")(["a"])
        assert keys.shown(data) == {"hex": data.hex()}
        assert keys.read(data.hex(), "hex") == data
        assert Keys(serdes.int64, "t").shown(b"short") == {"hex": b"short".hex()}

    def test_a_windowed_key_lies_where_its_key_does(self) -> None:
        keys = Keys(serdes.windowed(serdes.utf8, 10), "t")
        data = keys.read('{"key": "a", "start": 20}')
        assert keys.routed(data) == b"a"
        assert partition_for(keys.routed(data), 7) == partition_for(b"a", 7)


class TestAsked:
    def test_everything(self) -> None:
        cursor = Cursor(2, b"\x00:row").text()
        question = asked(
            "s",
            None,
            [("from", "a"), ("to", "b"), ("prefix", "p"), ("limit", "7"), ("standby", "true"), ("all", "true"),
             ("cursor", cursor), ("bound", "in-0:5, app-s-changelog-1:9"), ("key_form", "hex"), ("as_of", "3")],
        )  # fmt: skip
        assert (question.lower, question.upper, question.prefix, question.limit) == ("a", "b", "p", 7)
        assert question.cursor == (2, b"\x00:row")
        assert question.standby
        assert question.everywhere
        assert question.bound == {("in", 0): 5, ("app-s-changelog", 1): 9}
        assert (question.key_form, question.as_of) == ("hex", 3)

    @pytest.mark.parametrize(
        ("name", "text"),
        [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("limit", "1" * 30), ("cursor", "***"), ("cursor", "eA"),
         ("bound", "in:5"), ("bound", ""), ("standby", "yes"), ("key_form", "utf8"), ("form", "x"), ("as_of", "²")],
    )  # fmt: skip
    def test_refused(self, name: str, text: str) -> None:
        with pytest.raises(InvalidQuestion):
            asked("s", None, [(name, text)])

    def test_a_parameter_comes_once(self) -> None:
        with pytest.raises(InvalidQuestion, match="comes twice"):
            asked("s", None, [("limit", "1"), ("limit", "2")])

    @given(st.integers(0, 10**8), st.none() | st.binary())
    def test_a_cursor_survives_its_text(self, partition: int, row: bytes | None) -> None:
        assert Cursor.read(Cursor(partition, row).text()) == (partition, row)

    def test_times(self) -> None:
        assert asked("s", "k", []).times() == (0, 2**63 - 1)
        assert asked("s", "k", [("from", "-5"), ("to", "9" * 19)]).times() == (0, 2**63 - 1)
        with pytest.raises(InvalidQuestion):
            asked("s", "k", [("from", "noon")]).times()


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
        for question in (Question(store="st", key="a", lower="0"), Question(store="st")):
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


class TestPositions:
    def test_the_changelog_position_of_what_is_shown(self) -> None:
        living = filled(KV, ("a", 1), ("b", 2))
        assert reading(living).position == 2
        living.store.put("c", 3)
        living.seal()
        assert reading(living).position == 2

    def test_a_bound(self) -> None:
        known = {TopicPartition("in", 0): 5}
        positions.check(positions.read_bound("in-0:5"), 0, known)
        positions.check(positions.read_bound("in-1:99"), 0, known)
        for bound in ("in-0:6", "other-0:1"):
            with pytest.raises(NotUpToBound):
                positions.check(positions.read_bound(bound), 0, known)
        assert positions.shown(known) == {"in-0": 5}
