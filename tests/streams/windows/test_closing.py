"""Final results (D14, D15)."""

import pytest

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.errors import TopologyError
from app.streams.serdes import utf8
from app.streams.windows.definitions import Emit, Hopping, Sessions, Sliding, Tumbling, Unlimited, Windows
from tests.streams.windows.playing import play

LONG = 1_000_000  # retention: what is not looked for in time is lost


def test_a_time_window_is_final_once_stream_time_less_grace_reaches_its_end() -> None:
    sut = play(Tumbling(10, grace=5), Emit.ON_CLOSE)
    assert sut.send_all([("a", 1), ("b", 9), ("c", 14)]) == []
    assert sut.send("d", 15) == ["k@0-10=ab at 9"]
    assert sut.send("e", 16) == []


def test_a_session_is_final_once_stream_time_less_grace_and_gap_is_past_its_end() -> None:
    sut = play(Sessions(5), Emit.ON_CLOSE)
    assert sut.send("a", 6) == []
    assert sut.send("b", 11, key="other") == []
    assert sut.send("c", 12, key="other") == ["k@6-6=a at 6"]


def test_a_sliding_window_is_final_once_stream_time_less_grace_is_past_its_end() -> None:
    sut = play(Sliding(5), Emit.ON_CLOSE)
    assert sut.send("a", 10) == []
    assert sut.send("b", 10, key="other") == []
    assert sut.send("c", 11, key="other") == ["k@5-10=a at 10", "other@5-10=b at 10"]


def test_early_sliding_records_do_not_look_for_closed_windows() -> None:
    sut = play(Sliding(20), Emit.ON_CLOSE)
    sut.send("a", 1)
    assert sut.send("b", 19, key="other") == []


@pytest.mark.parametrize("windows", [Tumbling(10, 5), Hopping(10, 3, 5), Sliding(10, 5), Sessions(5, 5)])
def test_each_result_comes_once_even_over_a_restart(windows: Windows) -> None:
    rows = [("a", 20), ("b", 24), ("c", 50), ("d", 51), ("e", 90)]
    expected = play(windows, Emit.ON_CLOSE, retention=LONG).send_all(rows)
    assert len(expected) == len(set(expected)) > 1
    for stop in range(1, len(rows)):
        sut = play(windows, Emit.ON_CLOSE, retention=LONG)
        before = sut.send_all(rows[:stop])
        sut.driver.restart()
        assert before + sut.send_all(rows[stop:]) == expected


def test_closed_windows_are_looked_for_only_so_often_by_the_wall_clock() -> None:
    sut = play(Tumbling(10), Emit.ON_CLOSE, StreamsConfig(window_emit_interval=100), LONG)
    sut.send("a", 1)  # this look found nothing, and the next is due at 100
    assert sut.send("b", 10) == []
    sut.driver.advance(99)
    assert sut.send("c", 20) == []
    sut.driver.advance(1)
    assert sut.send("d", 21) == ["k@0-10=a at 1", "k@10-20=b at 10"]


def test_a_late_record_takes_part_in_the_look_but_not_in_the_result() -> None:
    sut = play(Tumbling(10), Emit.ON_CLOSE)
    sut.send("a", 5)
    assert sut.send("b", 10, key="other") == ["k@0-10=a at 5"]
    assert sut.send("late", 5) == []
    assert sut.driver.dropped == 1


def test_final_results_carry_the_headers_of_the_record_that_closed_the_window() -> None:
    sut = play(Tumbling(10), Emit.ON_CLOSE)
    sut.records("a", 1, headers=(("h", b"old"),))
    assert [record.headers for record in sut.records("b", 10, headers=(("h", b"new"),))] == [(("h", b"new"),)]


def test_a_final_result_is_lost_when_time_jumps_past_retention() -> None:
    sut = play(Tumbling(10), Emit.ON_CLOSE)
    sut.send("a", 5)
    assert sut.send("b", 10 + 20, key="other") == []
    kept = play(Sessions(5), Emit.ON_CLOSE)
    kept.send("a", 5)
    assert kept.send("b", 500, key="other") == ["k@5-5=a at 5"], "sessions are not hidden from the look"


def test_unlimited_windows_have_no_final_results() -> None:
    builder = Builder(StreamsConfig(default_key=utf8, default_value=utf8))
    builder.stream("in").group_by_key().windowed_by(Unlimited(), Emit.ON_CLOSE).count()
    with pytest.raises(TopologyError, match="unlimited windows never close"):
        builder.build()
