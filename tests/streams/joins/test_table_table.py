"""Joins of two tables by key (F13-F15, E6, E8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams import Builder, Materialized
from app.streams.serdes import utf8
from tests.streams.joins.two_topics import Play, Sent, built, plus

KINDS = ("join", "left_join", "outer_join")


def joined(builder: Builder, method: str, materialized: Materialized[str, str] | None = None) -> Any:
    left, right = (builder.table(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    return getattr(left, method)(right, plus, materialized)


STEPS: list[Sent] = [
    ("left", None, 1),
    ("left", "A", 2),
    ("right", "x", 1),
    ("right", None, 5),
    ("right", None, 6),
    ("left", None, 7),
    ("right", "y", 8),
    ("left", None, 9),
]


@pytest.mark.parametrize(
    ("method", "results"),
    [
        # A delete that meets a row goes on as a tombstone, even of a result that never was (F13, F14).
        ("join", ["Ax@2", "None@5", "None@6", "None@9"]),
        ("left_join", ["A-@2", "Ax@2", "A-@5", "A-@6", "None@7", "None@9"]),
        ("outer_join", ["A-@2", "Ax@2", "A-@5", "A-@6", "None@7", "-y@8", "-y@9"]),
    ],
)
def test_deletes_and_times(method: str, results: list[str]) -> None:
    assert Play(built(lambda builder: joined(builder, method))).send_all(STEPS) == results


def both(left: str | None, right: str | None, method: str) -> str | None:
    if (left is None and method != "outer_join") or (right is None and method == "join"):
        return None
    return plus(left, right) if left or right else None


CHANGES = st.lists(
    st.tuples(st.sampled_from(["left", "right"]), st.sampled_from("ab"), st.sampled_from(["x", "y", None])), max_size=12
)


@given(CHANGES, st.sampled_from(KINDS), st.booleans())
def test_the_last_result_is_the_join_of_the_last_rows(
    changes: list[tuple[str, str, str | None]], method: str, stored: bool
) -> None:
    play = Play(built(lambda builder: joined(builder, method, Materialized("r", value=utf8) if stored else None)))
    rows: dict[str, dict[str, str | None]] = {"left": {}, "right": {}}
    shown: dict[str | None, str | None] = {}
    for at, (topic, key, value) in enumerate(changes):
        rows[topic][key] = value
        play.driver.input(topic, utf8, utf8).send(key, value, at)
        shown.update(play.out.read_latest())
        for each in "ab":
            assert shown.get(each) == both(rows["left"].get(each), rows["right"].get(each), method)


@given(CHANGES, st.sampled_from(KINDS))
def test_old_values_undo_what_new_ones_did(changes: list[tuple[str, str, str | None]], method: str) -> None:
    """A count over a join without a store needs each change's old value to be what was handed on before (E8)."""

    def build(builder: Builder) -> Any:
        grouped = joined(builder, method).group_by(lambda key, value: (value, key), key=utf8, value=utf8)
        return grouped.count(Materialized("n")).map_values(lambda _key, count: str(count))

    play = Play(built(build))
    rows: dict[str, dict[str, str | None]] = {"left": {}, "right": {}}
    for at, (topic, key, value) in enumerate(changes):
        rows[topic][key] = value
        play.driver.input(topic, utf8, utf8).send(key, value, at)
    results = [both(rows["left"].get(key), rows["right"].get(key), method) for key in "ab"]
    counts = {key: count for key, (count, _) in play.driver.store("n").all() if count}
    assert counts == {result: results.count(result) for result in results if result is not None}


def test_a_join_without_a_store_can_be_looked_up_by_a_stream() -> None:
    def build(builder: Builder) -> Any:
        table = joined(builder, "outer_join")
        return builder.stream("probe", key=utf8, value=utf8).join(table, plus)

    play = Play(built(build))
    probe = play.driver.input("probe", utf8, utf8)
    play.send_all([("left", "A", 1), ("right", "x", 2)])
    probe.send("k", "?", 3)
    play.send("left", None, 4)
    probe.send("k", "!", 5)
    assert play.out.read_pairs() == [("k", "!-x")]


def test_changes_of_a_versioned_table_that_come_late_are_dropped() -> None:
    def build(builder: Builder) -> Any:
        left = builder.table("left", Materialized("l", versioned=100), key=utf8, value=utf8)
        return left.join(builder.table("right", key=utf8, value=utf8), plus)

    play = Play(built(build))
    assert play.send_all([("right", "x", 1), ("left", "A", 10), ("left", "late", 5)]) == ["Ax@10"]
    assert play.driver.dropped == 1
