"""Tumbling, hopping and unlimited windows (D1-D3, D11, D13)."""

from app.streams.windows.definitions import Hopping, Tumbling, Unlimited
from tests.streams.windows.playing import play


def test_tumbling_windows_are_aligned_to_the_epoch_and_exclude_their_end() -> None:
    sut = play(Tumbling(10))
    assert sut.send("a", 13) == ["k@10-20=a at 13"]
    assert sut.send("b", 19) == ["k@10-20=ab at 19"]
    assert sut.send("c", 20) == ["k@20-30=c at 20"]


def test_hopping_windows_are_updated_in_ascending_order_and_never_begin_before_zero() -> None:
    sut = play(Hopping(10, 4))
    assert sut.send("a", 5) == ["k@0-10=a at 5", "k@4-14=a at 5"]
    assert sut.send("b", 12) == ["k@4-14=ab at 12", "k@8-18=b at 12", "k@12-22=b at 12"]


def test_a_window_takes_records_until_stream_time_less_grace_reaches_its_end() -> None:
    sut = play(Tumbling(10, grace=5))
    sut.send("a", 14)
    assert sut.send("in time", 9) == ["k@0-10=in time at 9"]
    sut.send("b", 15)
    assert sut.send("late", 9) == []
    assert sut.driver.dropped == 1


def test_each_hopping_window_is_late_for_itself() -> None:
    sut = play(Hopping(10, 5))
    sut.send("a", 12)
    assert sut.send("b", 6) == ["k@5-15=ab at 12"]
    assert sut.driver.dropped == 1


def test_the_record_that_moves_stream_time_is_judged_by_it() -> None:
    sut = play(Tumbling(10))
    assert sut.send("x", 9) == ["k@0-10=x at 9"]
    # Another key moves the operator's stream time as well.
    sut.send("y", 10, key="other")
    assert sut.send("z", 9) == []


def test_a_null_key_is_dropped_before_it_moves_time_and_a_null_value_is_folded() -> None:
    sut = play(Tumbling(10))
    assert sut.send("x", 100, key=None) == []
    assert sut.driver.dropped == 1
    assert sut.send(None, 5) == ["k@0-10=~ at 5"]


def test_the_result_has_the_latest_time_and_a_deleted_one_begins_anew() -> None:
    sut = play(Tumbling(10))
    sut.send("a", 8)
    assert sut.send("b", 3) == ["k@0-10=ab at 8"]
    assert sut.send("!", 4) == ["k@0-10=None at 8"]
    assert sut.send("c", 2) == ["k@0-10=c at 2"]


def test_unlimited_windows_take_everything_from_their_start_on() -> None:
    sut = play(Unlimited(start=5))
    assert sut.send("a", 4) == []
    assert sut.driver.dropped == 0
    assert sut.send("b", 50) == ["k@5-9223372036854775807=b at 50"]
    assert sut.send("c", 5) == ["k@5-9223372036854775807=bc at 50"]
