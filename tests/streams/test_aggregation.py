"""Aggregates of streams and tables by key (C1-C8, C10, A9, A10)."""

from __future__ import annotations

from typing import Any

import pytest

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.dsl.stream import Stream
from app.streams.dsl.table import Table
from app.streams.errors import ProcessingError, TopologyError
from app.streams.serdes import int64, utf8
from app.streams.testing.driver import Driver
from app.streams.windows.definitions import Sessions, Sliding, Tumbling, Windows

TEXTS = StreamsConfig(default_key=utf8, default_value=utf8, log_every_put=True)


def stream(builder: Builder, topic: str = "in") -> Stream[str, str]:
    return builder.stream(topic, key=utf8, value=utf8)


def driver_of(table: Table[Any, Any], value: Any = utf8) -> Driver:
    table.to_stream().to("out", key=utf8, value=value)
    return Driver(table.builder.build())


def sent(
    driver: Driver, key: str | None, value: str | None, at: int, *, topic: str = "in", out: Any = utf8
) -> list[Any]:
    """What one record brings on topic out: (key, value, timestamp)."""
    before = driver.output("out", utf8, out)
    before.read_all()
    driver.input(topic, utf8, utf8).send(key, value, at)
    return [(record.key, record.value, record.timestamp) for record in before.read_all()]


def rows_of(driver: Driver, topic: str) -> list[tuple[str | None, str | None, int | None]]:
    """Rows of one topic as (key text, value hex, timestamp)."""
    return [
        (None if row.key is None else row.key.decode(), None if row.value is None else row.value.hex(), row.timestamp)
        for row in driver.sent
        if row.topic == topic
    ]


def test_records_without_key_or_value_are_dropped() -> None:
    driver = driver_of(stream(Builder(TEXTS)).group_by_key().count(), int64)
    assert sent(driver, None, "x", 1, out=int64) == []
    assert sent(driver, "a", None, 2, out=int64) == []
    assert driver.dropped == 2
    assert sent(driver, "a", "x", 3, out=int64) == [("a", 1, 3)]


def test_the_first_value_of_a_reduce_is_kept_as_it_is() -> None:
    table: Table[str, str] = stream(Builder(TEXTS)).group_by_key().reduce(lambda old, new: f"{old}+{new}")
    driver = driver_of(table)
    assert sent(driver, "a", "x", 5) == [("a", "x", 5)]
    assert sent(driver, "a", "y", 3) == [("a", "x+y", 5)], "the later of both times"


def test_a_deleted_aggregate_goes_on_with_the_later_time_but_is_logged_with_the_records() -> None:
    grouped = stream(Builder(TEXTS)).group_by_key()
    table = grouped.aggregate(str, lambda _key, value, so_far: None if value == "!" else so_far + value)
    driver = driver_of(table)
    sent(driver, "a", "x", 10)
    assert sent(driver, "a", "!", 5) == [("a", None, 10)]
    changelog = "app-KSTREAM-AGGREGATE-STATE-STORE-0000000001-changelog"
    assert rows_of(driver, changelog)[-1] == ("a", None, 5)
    assert sent(driver, "a", "y", 3) == [("a", "y", 3)], "it begins anew at its own time"


@pytest.mark.parametrize("keeping", [Materialized(), Materialized(versioned=1000)])
def test_old_values_begin_with_the_initial_one(keeping: Materialized[str, str]) -> None:
    grouped = stream(Builder(TEXTS)).group_by_key()
    table = grouped.aggregate(lambda: "i", lambda _key, value, so_far: so_far + value, keeping)
    counted = table.group_by(lambda _key, value: (value, value)).count()
    driver = driver_of(counted, int64)
    # "i" is taken out of a group that is not there: nothing to take out of, but a tombstone is written.
    assert sent(driver, "a", "x", 1, out=int64) == [("i", None, 1), ("ix", 1, 1)]


def test_a_table_regrouped_under_the_same_key_sends_both_halves_in_one_row() -> None:
    table: Table[str, str] = Builder(TEXTS).table("in")
    grouped = table.group_by(lambda key, value: (value[0], value), name="groups")
    joined = grouped.aggregate(str, lambda _k, value, agg: agg + value, lambda _k, value, agg: agg.replace(value, ""))
    driver = driver_of(joined)
    assert sent(driver, "a", "x1", 1) == [("x", "x1", 1)]
    assert sent(driver, "a", "x2", 2) == [("x", "x2", 2)]
    assert sent(driver, "a", "y1", 3) == [("x", "", 3), ("y", "y1", 3)]
    assert sent(driver, "a", None, 4) == [("y", "", 4)]
    assert rows_of(driver, "app-groups-repartition") == [
        ("x", "783101", 1),
        ("x", "047832" + "7831" + "02", 2),  # zigzag length of the new value, new, old, both
        ("x", "783200", 3),
        ("y", "793101", 3),
        ("y", "793100", 4),
    ]


def test_halves_without_a_new_key_or_value_are_left_out() -> None:
    pairs: dict[str, Any] = {"pair": None, "key": (None, "v"), "value": ("k", None), "both": ("k", "v")}
    table: Table[str, str] = Builder(TEXTS).table("in")
    counted = table.group_by(lambda _key, value: pairs[value]).count(Materialized(name="counts"))
    driver = driver_of(counted, int64)
    for value in ("pair", "key", "value"):
        assert sent(driver, "a", value, 1, out=int64) == []
    assert sent(driver, "a", "both", 2, out=int64) == [("k", 1, 2)]
    assert sent(driver, "a", "pair", 3, out=int64) == [("k", 0, 3)], "a count of 0 is kept"
    assert driver.store("counts").get("k") == (0, 3)


def test_a_table_reduce_takes_out_only_what_is_there() -> None:
    table: Table[str, str] = Builder(TEXTS).table("in")
    reduced = table.group_by(lambda _key, value: ("all", value)).reduce(
        lambda so_far, value: so_far + value, lambda so_far, value: so_far.replace(value, "") or None
    )
    driver = driver_of(reduced)
    assert sent(driver, "a", "x", 5) == [("all", "x", 5)]
    assert sent(driver, "b", "y", 3) == [("all", "xy", 5)]
    assert sent(driver, "b", None, 6) == [("all", "x", 6)]
    assert sent(driver, "a", None, 7) == [("all", None, 7)]
    assert sent(driver, "a", "z", 2) == [("all", "z", 2)]


def test_out_of_order_changes_of_a_versioned_table_do_not_count() -> None:
    table: Table[str, str] = Builder(TEXTS).table("in", Materialized(name="versions", versioned=1000))
    driver = driver_of(table.group_by(lambda _key, value: (value, value)).count(), int64)
    assert sent(driver, "a", "x", 10, out=int64) == [("x", 1, 10)]
    assert sent(driver, "a", "older", 5, out=int64) == []
    assert sent(driver, "a", "y", 20, out=int64) == [("x", 0, 20), ("y", 1, 20)]


def test_a_change_without_a_key_stops_the_task() -> None:
    table: Table[str, str] = Builder(TEXTS).table("in")
    driver = driver_of(table.group_by(lambda key, value: (key, value), name="groups").count(), int64)
    with pytest.raises(ProcessingError, match="has no key"):
        driver.send("app-groups-repartition", None, b"x\x01", 1)


def test_a_named_repartition_is_shared_by_all_aggregates_of_a_grouped_table() -> None:
    table: Table[str, str] = Builder(TEXTS).table("in")
    grouped = table.group_by(lambda key, value: (value, key), name="groups")
    grouped.reduce(max, min)
    driver = driver_of(grouped.count(), int64)
    assert sent(driver, "a", "x", 1, out=int64) == [("x", 1, 1)]
    assert len(rows_of(driver, "app-groups-repartition")) == 1


def _cogrouped(builder: Builder) -> Any:
    left = stream(builder).group_by_key()
    right = stream(builder, "other").group_by(lambda _key, value: value, name="other")
    return left.cogroup(lambda _key, value, so_far: f"{so_far}{value}").cogroup(
        right, lambda _key, value, so_far: f"{so_far}({value})"
    )


def test_cogrouped_streams_share_one_aggregate() -> None:
    driver = driver_of(_cogrouped(Builder(TEXTS)).aggregate(str))
    assert sent(driver, "a", "x", 1) == [("a", "x", 1)]
    assert sent(driver, "?", "a", 2, topic="other") == [("a", "x(a)", 2)]
    assert sent(driver, "a", None, 3) == []
    assert driver.dropped == 1


def test_a_cogrouped_streams_topic_is_shared_by_all_its_aggregates() -> None:
    cogrouped = _cogrouped(Builder(TEXTS))
    cogrouped.windowed_by(Tumbling(10)).aggregate(str)
    driver = driver_of(cogrouped.aggregate(str))
    assert sent(driver, "?", "a", 1, topic="other") == [("a", "(a)", 1)]
    assert rows_of(driver, "app-other-repartition") == [("a", "61", 1)]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (Tumbling(10), [("a@0-10", "x(a)", 7)]),
        (Sliding(4), [("a@6-10", "(a)", 7), ("a@3-7", "x(a)", 7)]),
        (Sessions(5), [("a@5-5", None, 5), ("a@5-7", "x(a)", 7)]),
    ],
)
def test_cogrouped_streams_in_windows(windows: Windows, expected: list[Any]) -> None:
    merger = [lambda _key, one, other: one + other] if isinstance(windows, Sessions) else []
    table = _cogrouped(Builder(TEXTS)).windowed_by(windows).aggregate(str, *merger)
    labelled = table.to_stream(lambda window, _value: f"{window.key}@{window.start}-{window.end}")
    labelled.to("out", key=utf8, value=utf8)
    driver = Driver(table.builder.build())
    sent(driver, "a", "x", 5)
    assert sent(driver, "?", "a", 7, topic="other") == expected


@pytest.mark.parametrize(("windows", "least"), [(Tumbling(10, 5), 15), (Sliding(10, 5), 25), (Sessions(10, 5), 15)])
def test_a_store_must_keep_rows_while_they_can_change(windows: Any, least: int) -> None:
    def built(retention: int) -> None:
        builder = Builder(TEXTS)
        stream(builder).group_by_key().windowed_by(windows).count(Materialized(name="n", retention=retention))
        builder.build()

    built(least)
    with pytest.raises(TopologyError, match=f"needs? at least {least} ms"):
        built(least - 1)
