"""Joins of tables by foreign key (F16-F18), on one task as Java's driver and on several."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams import Builder, Materialized, TopologyError
from app.streams.serdes import utf8
from app.streams.serdes.foreign_key import subscription
from tests.streams.joins.two_topics import Play, built, plus

REGISTRATION = "app-fk-subscription-registration-topic"


def foreign(_key: str, value: str) -> str | None:
    """The letter a left value begins with; none for '?'."""
    return value[0] if value[0] != "?" else None


def joined(builder: Builder, *, outer: bool = False) -> Any:
    left, right = (builder.table(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    result: Materialized[str, str] = Materialized("result", value=utf8)
    if outer:
        return left.left_join(right, plus, result, foreign_key=foreign, name="fk")
    return left.join(right, plus, result, foreign_key=foreign, name="fk")


def instructions(play: Play) -> list[tuple[bytes | None, int]]:
    """(foreign key, instruction) of all subscriptions sent since the last call."""
    read = subscription(utf8, "pk").deserializer(REGISTRATION)
    sent = [row for row in play.driver.sent if row.topic == REGISTRATION]
    play.driver.sent.clear()
    return [(row.key, read(row.value or b"").instruction) for row in sent]


@pytest.mark.parametrize(
    ("outer", "expected"),
    [
        (False, [[(b"f", 3)], [(b"f", 3)], [(b"f", 0), (b"g", 2)], [(b"g", 1)], [], [(b"f", 3)], [(b"f", 1)], []]),
        (
            True,
            [
                [(b"f", 2)],
                [(b"f", 2)],
                [(b"f", 0), (b"g", 2)],
                [(b"g", 0), (None, 2)],
                [(None, 2)],
                [(b"f", 2)],
                [(b"f", 0), (None, 2)],
                [],
            ],
        ),
    ],
)
def test_what_each_left_change_sends(outer: bool, expected: list[Any]) -> None:
    play = Play(built(lambda builder: joined(builder, outer=outer)))
    found = []
    for at, value in enumerate(["f1", "f2", "g2", "?3", "?4", "f5", None, None]):
        play.driver.input("left", utf8, utf8).send("k", value, at)
        found.append(instructions(play))
    assert found == expected


def test_times_of_results() -> None:
    """A subscriber's answer has the later time of both rows, a right change its own."""
    play = Play(built(joined))
    assert play.send("right", "R", 9, key="f") == []
    assert play.send("left", "f1", 1) == ["f1R@9"]
    assert play.send("right", "S", 3, key="f") == ["f1S@3"]
    assert play.send("right", None, 2, key="f") == ["None@2"]


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("left"), st.sampled_from("abcde"), st.sampled_from(["f1", "f2", "g1", "h", "?", None])),
        st.tuples(st.just("right"), st.sampled_from("fgh"), st.sampled_from(["R", "S", None])),
    ),
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(CHANGES, st.booleans(), st.sampled_from([{}, {"left": 3, "right": 2}]))
def test_the_result_is_the_join_of_the_last_rows(
    changes: list[tuple[str, str, str | None]], outer: bool, partitions: dict[str, int]
) -> None:
    """Also with the tables' rows on different tasks: answers find the partition they were asked from."""
    play = Play(built(lambda builder: joined(builder, outer=outer), **partitions))
    rows: dict[str, dict[str, str | None]] = {"left": {}, "right": {}}
    for at, (topic, key, value) in enumerate(changes):
        rows[topic][key] = value
        play.driver.input(topic, utf8, utf8).send(key, value, at)
    expected = {}
    for key, value in rows["left"].items():
        letter = None if value is None else foreign(key, value)
        right = None if letter is None else rows["right"].get(letter)
        if value is not None and (right is not None or outer):
            expected[key] = plus(value, right)
    stores = [task.stores["result"] for task in play.driver.tasks if "result" in task.stores]
    assert len(stores) == partitions.get("left", 1)
    assert {key: value for store in stores for key, (value, _) in store.all()} == expected


def test_an_answer_to_a_row_that_has_changed_meanwhile_is_dropped() -> None:
    play = Play(built(joined))
    play.send("right", "R", 1, key="f")
    play.send("left", "f1", 2)
    (answer,) = [row for row in play.driver.sent if row.topic == "app-fk-subscription-response-topic"]
    play.send("left", "f2", 3)
    play.driver.send(answer.topic, answer.key, answer.value, 4, partition=0)
    assert play.out.read_all() == []
    assert play.driver.dropped == 1


def test_subscriptions_are_found_again_after_a_restart() -> None:
    play = Play(built(joined))
    play.send_all([("left", "f1", 1)])
    play.driver.restart()
    assert play.send("right", "R", 2, key="f") == ["f1R@2"]


def test_missing_serdes_are_a_fault() -> None:
    builder = Builder()
    left = builder.table("left", key=utf8, value=utf8).map_values(lambda _key, value: value)
    right = builder.table("right", key=utf8, value=utf8)
    left.join(right, plus, foreign_key=foreign, name="fk").to_stream().to("out", key=utf8, value=utf8)
    with pytest.raises(TopologyError, match="the foreign-key join fk-result has no serde for its left values"):
        builder.build()
