"""Windowed joins of two streams (F1-F8, A8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams import ALL_OPTIMIZATIONS, Builder, StreamJoined
from app.streams.config import StreamsConfig
from app.streams.joins.time_tracker import LARGEST_LONG, TimeTracker
from app.streams.serdes import utf8
from app.streams.testing import CommitEvery, Driver
from app.streams.windows.definitions import JoinWindows
from tests.streams.joins.two_topics import Play, plus, windowed

DAY = 86_400_000


def test_results_come_by_time_and_arrival_with_the_later_timestamp() -> None:
    play = Play(windowed("join", JoinWindows(5, 5)))
    assert play.send_all([("left", "A", 10), ("left", "B", 8), ("left", "C", 10)]) == []
    assert play.send("right", "x", 9) == ["Bx@9", "Ax@10", "Cx@10"]


@pytest.mark.parametrize(("at", "joined"), [(9, False), (10, True), (23, True), (24, False)])
def test_both_bounds_of_a_window_are_inside(at: int, joined: bool) -> None:
    play = Play(windowed("join", JoinWindows(before=10, after=3, grace=DAY)))
    play.send("left", "A", 20)
    assert bool(play.send("right", "x", at)) is joined


def test_a_negative_bound_moves_the_window_away_from_the_record() -> None:
    play = Play(windowed("join", JoinWindows(before=-5, after=10, grace=DAY)))
    play.send("left", "A", 20)
    assert [play.send("right", "x", at) for at in (20, 24, 25, 30, 31)] == [[], [], ["Ax@25"], ["Ax@30"], []]


def test_an_unmatched_row_leaves_when_its_window_is_over_and_carries_the_headers_of_who_let_it_go() -> None:
    play = Play(windowed("left_join", JoinWindows(5, 5, grace=2)))
    assert play.send("left", "A", 10) == []
    assert play.send("right", "x", 17, key="other") == []
    play.driver.input("right", utf8, utf8).send("other", "y", 18, headers=(("h", b"1"),))
    (record,) = play.out.read_all()
    assert (record.key, record.value, record.timestamp, record.headers) == ("k", "A-", 10, (("h", b"1"),))


def test_a_late_record_of_an_outer_join_gives_its_result_at_once_and_may_be_joined_later() -> None:
    play = Play(windowed("outer_join", JoinWindows(10, 10, grace=100)))
    play.send("right", "z", 50, key="other")
    assert play.send("left", "A", 30) == ["A-@30"]
    assert play.send("right", "x", 31) == ["Ax@31"]


def test_each_side_waits_by_its_own_bound() -> None:
    """A right row waits for left ones up to `before` younger, a left row for right ones up to `after` younger."""
    play = Play(windowed("outer_join", JoinWindows(before=20, after=5)))
    play.send_all([("left", "A", 10), ("right", "x", 40)])
    assert play.out.read_all() == []
    assert play.send("left", "t", 60, key="other") == []
    assert play.send("left", "t", 61, key="other") == ["-x@40"]


def test_a_closed_row_leaves_past_an_older_one_of_the_other_side_that_is_open() -> None:
    play = Play(windowed("outer_join", JoinWindows(before=0, after=20)))
    play.send("left", "A", 10)
    assert play.send("right", "x", 11, key="other") == []
    assert play.send("right", "y", 12, key="third") == ["-x@11"]


def test_a_row_that_comes_late_to_the_buffer_leaves_in_its_turn() -> None:
    play = Play(windowed("left_join", JoinWindows(5, 5)))
    play.send("left", "A", 10)
    assert play.send("left", "B", 30) == ["A-@10"]
    assert play.send("left", "C", 27) == []
    assert play.send("left", "D", 40) == ["C-@27", "B-@30"]


def test_rows_that_waited_before_a_restart_leave_after_it() -> None:
    """The sum in the tracker has to overflow, as it does in Java (A8)."""
    play = Play(windowed("left_join", JoinWindows(5, 5)))
    play.send("left", "A", 10)
    play.driver.restart()
    assert play.send("left", "B", 30, key="other") == ["A-@10"]


def test_without_reach_they_wait_for_a_row_that_is_newly_buffered_where_times_are_forgotten() -> None:
    play = Play(windowed("left_join", JoinWindows(0, 0), StreamsConfig(remember_times=False)))
    play.send("left", "A", 10)
    play.driver.restart()
    assert play.send("left", "B", 30, key="other") == []
    assert play.send("left", "C", 31, key="other") == ["A-@10", "B-@30"]


def test_a_restart_changes_nothing_where_times_are_remembered() -> None:
    play = Play(windowed("left_join", JoinWindows(0, 0)))
    play.send("left", "A", 10)
    play.driver.restart()
    assert play.send("left", "B", 30, key="other") == ["A-@10"]
    play.driver.restart()
    # It is late, so nothing waits for a partner of it.
    assert play.send("left", "C", 20, key="other") == ["C-@20"]


@pytest.mark.parametrize(
    ("earliest", "reach", "now", "closed"),
    [(10, 5, 15, False), (10, 5, 16, True), (LARGEST_LONG, 1, 0, True), (LARGEST_LONG, 0, 10**15, False)],
)
def test_the_tracker_overflows_as_java_does(earliest: int, reach: int, now: int, closed: bool) -> None:
    tracker = TimeTracker()
    tracker.earliest, tracker.stream_time = earliest, now
    assert tracker.may_be_closed(reach) is closed


def test_the_scan_is_throttled_by_the_wall_clock() -> None:
    play = Play(windowed("left_join", JoinWindows(5, 5), StreamsConfig(outer_join_emit_interval=1000)))
    # The first record looks, since nothing is known yet (A8), and the next look is a second later.
    assert play.send_all([("left", "A", 10), ("left", "B", 30)]) == []
    play.driver.advance(999)
    assert play.send("left", "C", 50) == []
    play.driver.advance(1)
    assert play.send("left", "D", 51) == ["A-@10", "B-@30"]


def test_null_keys_and_values() -> None:
    play = Play(windowed("left_join", JoinWindows(5, 5)))
    assert play.send("left", "A", 1, key=None) == ["A-@1"]
    assert play.send("right", "x", 1, key=None) == []
    assert play.send("left", None, 1) == []
    assert play.driver.dropped == 2


def test_both_bounds_of_a_probe_are_clamped_to_zero() -> None:
    play = Play(windowed("join", JoinWindows(before=1, after=-1, grace=DAY)))
    assert play.send_all([("right", "R", 0), ("left", "L", 0)]) == ["LR@0"]


def test_even_a_dropped_record_moves_time() -> None:
    play = Play(windowed("left_join", JoinWindows(5, 5)))
    play.send_all([("left", "A", 10), ("left", None, 100)])
    assert play.send("left", "B", 10) == ["B-@10"]


@given(
    # Away from zero, where both bounds of a probe are clamped (F1): [-1, -1] becomes [0, 0], and holds a record at 0.
    st.lists(st.tuples(st.sampled_from(["left", "right"]), st.integers(20, 60)), max_size=14),
    st.integers(-4, 10),
    st.integers(-4, 10),
)
def test_an_inner_join_is_all_pairs_within_the_window(sent: list[tuple[str, int]], before: int, after: int) -> None:
    if before + after < 0:
        return
    play = Play(windowed("join", JoinWindows(before, after, grace=DAY)))
    rows = [(topic, f"{topic[0]}{number},", at) for number, (topic, at) in enumerate(sent)]
    lefts, rights = ([(value, at) for topic, value, at in rows if topic == side] for side in ("left", "right"))
    pairs = {f"{a}{b}@{max(at, other)}" for a, at in lefts for b, other in rights if at - before <= other <= at + after}
    found = play.send_all(rows)
    assert sorted(found) == sorted(pairs)


@given(st.lists(st.tuples(st.sampled_from(["left", "right"]), st.integers(0, 3)), max_size=20), st.integers(0, 3))
def test_a_record_of_an_outer_join_in_order_gets_partners_or_one_null(steps: list[tuple[str, int]], grace: int) -> None:
    play = Play(windowed("outer_join", JoinWindows(2, 2, grace)))
    now, rows = 10, []
    for number, (topic, step) in enumerate(steps):
        now += step
        rows.append((topic, f"{topic[0]}{number},", now))
    found = [line.split("@")[0] for line in play.send_all([*rows, ("left", "end", now + 100)])]
    for topic, value, _ in rows:
        alone = f"{value}-" if topic == "left" else f"-{value}"
        partners = [line for line in found if value in line and line != alone]
        assert found.count(alone) == (0 if partners else 1)


def _self_join(method: str, config: StreamsConfig) -> Driver:
    builder = Builder(config)
    stream = builder.stream("left", key=utf8, value=utf8)
    joined: Any = getattr(stream, method)(stream, plus, JoinWindows(5, 3, 4), StreamJoined(utf8, utf8, utf8))
    joined.to("out", key=utf8, value=utf8)
    # Only one topic is read; Play wants two.
    builder.stream("right", key=utf8, value=utf8)
    return Driver(builder.build())


@given(st.lists(st.integers(0, 15), max_size=12))
def test_one_store_joins_a_stream_with_itself_as_two_do(times: list[int]) -> None:
    """Sorted input: with late records Java's own two forms differ."""
    sent = [("left", f"{number},", at) for number, at in enumerate(sorted(times))]
    two = Play(_self_join("join", StreamsConfig()))
    one = Play(_self_join("join", StreamsConfig(optimization=ALL_OPTIMIZATIONS)))
    assert sorted(two.send_all(sent)) == sorted(one.send_all(sent))
    assert len(one.driver.store_names()) == 1
    assert len(two.driver.store_names()) == 2


def test_the_order_of_a_self_join_over_one_store() -> None:
    play = Play(_self_join("join", StreamsConfig(optimization=ALL_OPTIMIZATIONS)))
    assert play.send_all([("left", "1", 1), ("left", "2", 3)]) == ["11@1", "21@3", "12@3", "22@3"]
    assert play.send("left", "3", 2) == ["31@2", "32@3", "13@2", "33@2", "23@3"]


def test_what_has_left_is_gone_without_a_commit_in_between() -> None:
    builder = Builder()
    left, right = (builder.stream(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    left.left_join(right, plus, JoinWindows(1, 1), StreamJoined(utf8, utf8, utf8, store_name="j")).to("out", value=utf8)
    driver = Driver(builder.build(), commit_every=CommitEvery.NEVER)
    topic = driver.input("left", utf8, utf8)
    for at in range(0, 500, 10):
        topic.send("k", "A", at)
    assert len(driver.output("out", utf8, utf8)) == 49
    assert [row.timestamp for row in driver.store("j-left-shared-join-store").all()] == [490]
