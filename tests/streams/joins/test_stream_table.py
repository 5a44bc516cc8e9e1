"""Joins that look a row up: tables, versioned tables with and without grace, global tables (F9-F12)."""

from __future__ import annotations

import pytest

from app.streams import Builder, Joined, Materialized, TopologyError
from app.streams.serdes import utf8
from app.streams.testing import Driver
from tests.streams.joins.two_topics import Play, built, plus


def lookup(builder: Builder, *, outer: bool = False, grace: int | None = None, versioned: int | None = None) -> object:
    """left looks up in right."""
    stream = builder.stream("left", key=utf8, value=utf8)
    table = builder.table("right", Materialized("t", versioned=versioned), key=utf8, value=utf8)
    joined = Joined(utf8, utf8, utf8, grace=grace)
    return stream.left_join(table, plus, joined) if outer else stream.join(table, plus, joined)


def test_only_the_stream_makes_results_and_with_its_own_time() -> None:
    play = Play(built(lookup))
    assert play.send_all([("left", "A", 5), ("right", "x", 9), ("left", "B", 3)]) == ["Bx@3"]


def test_a_left_join_takes_records_without_a_key_but_none_without_a_value() -> None:
    play = Play(built(lambda builder: lookup(builder, outer=True)))
    assert play.send("left", "A", 1, key=None) == ["A-@1"]
    assert play.send("left", None, 2) == []
    assert play.driver.dropped == 1


def test_a_versioned_table_is_read_as_of_the_records_time() -> None:
    play = Play(built(lambda builder: lookup(builder, versioned=100)))
    play.send_all([("right", "x", 10), ("right", "y", 20)])
    assert [play.send("left", "A", at) for at in (9, 10, 19, 20)] == [[], ["Ax@10"], ["Ax@19"], ["Ay@20"]]


def test_so_is_what_is_computed_from_one() -> None:
    def build(builder: Builder) -> object:
        table = builder.table("right", Materialized("t", versioned=100), key=utf8, value=utf8)
        computed = table.map_values(lambda _key, value: value.upper()).filter(lambda _key, value: value != "Y")
        return builder.stream("left", key=utf8, value=utf8).join(computed, plus, Joined(utf8, utf8, utf8))

    play = Play(built(build))
    play.send_all([("right", "x", 10), ("right", "y", 20)])
    assert [play.send("left", "A", at) for at in (15, 20)] == [["AX@15"], []]


def test_grace_lets_the_table_catch_up() -> None:
    play = Play(built(lambda builder: lookup(builder, grace=5, versioned=100)))
    assert play.send_all([("left", "A", 10), ("right", "x", 8), ("left", "B", 12)]) == []
    assert play.send("left", "C", 15) == ["Ax@10"]
    assert play.send("left", "late", 9) == ["latex@9"]


def test_a_record_that_waited_goes_out_with_its_own_headers() -> None:
    play = Play(built(lambda builder: lookup(builder, outer=True, grace=5, versioned=100)))
    play.send("left", "A", 10, headers=(("h", b"a"),))
    play.driver.input("left", utf8, utf8).send("k", "B", 20, headers=(("h", b"b"),))
    (record,) = play.out.read_all()
    assert (record.value, record.headers) == ("A-", (("h", b"a"),))


def test_a_left_join_with_grace_joins_a_record_without_a_key_at_once() -> None:
    """Java dies with a NullPointerException here."""
    play = Play(built(lambda builder: lookup(builder, outer=True, grace=5, versioned=100)))
    assert play.send("left", "A", 10, key=None) == ["A-@10"]


def test_what_waits_survives_a_restore() -> None:
    """Java 4.3.1 reads the buffer's changelog in the wrong layout: there it would be lost."""
    play = Play(built(lambda builder: lookup(builder, grace=5, versioned=100)))
    play.send_all([("right", "x", 8), ("left", "A", 10)])
    play.driver.restart()
    assert play.send("left", "B", 15) == ["Ax@10"]


@pytest.mark.parametrize(
    ("versioned", "fault"), [(None, "must be kept in a versioned store; t is none"), (4, "t has a history of 4 ms")]
)
def test_a_grace_needs_a_history_that_is_long_enough(versioned: int | None, fault: str) -> None:
    with pytest.raises(TopologyError, match=fault):
        built(lambda builder: lookup(builder, grace=5, versioned=versioned))


def test_a_global_table_is_asked_for_the_key_that_the_selector_gives() -> None:
    builder = Builder()
    table = builder.global_table("right", key=utf8, value=utf8)
    stream = builder.stream("left", key=utf8, value=utf8)
    asked: list[str | None] = []

    def selector(_key: str, value: str | None) -> str | None:
        asked.append(value)
        return value if value != "?" else None

    stream.join(table, plus, selector=selector).to("out", key=utf8, value=utf8)
    stream.left_join(table, plus, selector=selector).to("all", key=utf8, value=utf8)
    play = Play(Driver(builder.build()))
    play.send("right", "x", 1, key="A")
    assert play.send_all([("left", "A", 2), ("left", "B", 3), ("left", "?", 4), ("left", None, 5)]) == ["Ax@2"]
    assert play.driver.output("all", utf8, utf8).read_pairs() == [("k", "Ax"), ("k", "B-"), ("k", "?-")]
    assert asked == ["A", "A", "B", "B", "?", "?", None, None]


def test_two_unnamed_joins_share_one_repartition_a_named_one_has_its_own() -> None:
    builder = Builder()
    stream = builder.stream("left", key=utf8, value=utf8).select_key(lambda _key, value: value)
    table = builder.table("right", key=utf8, value=utf8)
    for name in (None, None, "mine"):
        stream.join(table, plus, Joined(utf8, utf8, utf8, name=name)).foreach(lambda _key, _value: None)
    topics = sorted(builder.build().internal)
    assert topics == ["KSTREAM-KEY-SELECT-0000000001-repartition", "mine-repartition"]
