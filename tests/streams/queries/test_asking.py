"""A question as text: keys, parameters, cursors, bounds."""

from __future__ import annotations

import uuid as uuids
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams import serdes
from app.streams.hashing import partition_for
from app.streams.model import TopicPartition, Windowed
from app.streams.queries import (
    Cursor,
    InvalidQuestion,
    Keys,
    NotUpToBound,
    asked,
    positions,
)


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
            (serdes.windowed(serdes.utf8, 10), f'{{"key":"a","start":{10**30}}}', "text", "the keys are windowed"),
            (serdes.windowed(serdes.utf8, 10), "[" * 9_000, "text", "a windowed key is written"),
            (serdes.json(), "[" * 9_000, "text", "the keys are json"),
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

    @pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
    def test_a_number_that_json_does_not_have_is_shown_as_it_is_asked_for(self, text: str) -> None:
        keys = Keys(serdes.float64, "t")
        assert keys.shown(keys.read(text)) == text

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


class TestBound:
    def test_a_bound(self) -> None:
        known = {TopicPartition("in", 0): 5}
        positions.check(positions.read_bound("in-0:5"), 0, known)
        positions.check(positions.read_bound("in-1:99"), 0, known)
        for bound in ("in-0:6", "other-0:1"):
            with pytest.raises(NotUpToBound):
                positions.check(positions.read_bound(bound), 0, known)
        assert positions.shown(known) == {"in-0": 5}

    def test_of_two_bounds_the_higher_counts(self) -> None:
        assert positions.read_bound("in-0:6,in-0:5") == positions.read_bound("in-0:5,in-0:6") == {("in", 0): 6}
