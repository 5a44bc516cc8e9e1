"""Sliding windows (D7-D10)."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams.errors import ProcessingError
from app.streams.windows.definitions import Sliding
from tests.streams.windows.playing import LONG_GRACE, Play, play

DIFFERENCE = 10


def test_updated_windows_come_newest_first_then_the_new_left_and_right_one() -> None:
    sut = play(Sliding(DIFFERENCE, grace=50))
    sut.send_all([("a", 20), ("b", 25)])
    assert sut.send("c", 22) == [
        "k@21-31=bc at 25",
        "k@15-25=abc at 25",
        "k@12-22=ac at 22",
        "k@23-33=b at 25",
    ]


def test_a_second_record_of_the_same_time_updates_what_is_there() -> None:
    sut = play(Sliding(DIFFERENCE))
    assert sut.send("a", 20) == ["k@10-20=a at 20"]
    assert sut.send("b", 20) == ["k@10-20=ab at 20"]


def test_early_records_share_the_first_window() -> None:
    sut = play(Sliding(DIFFERENCE, grace=50))
    assert sut.send("a", 3) == ["k@0-10=a at 3"]
    assert sut.send("b", 6) == ["k@4-14=b at 6", "k@0-10=ab at 6"]
    assert sut.send("c", 1) == ["k@2-12=ab at 6", "k@0-10=abc at 6"]


def test_the_first_record_that_is_not_early_takes_the_usual_order() -> None:
    sut = play(Sliding(DIFFERENCE, grace=50))
    sut.send_all([("a", 3), ("b", 6)])
    assert sut.send("c", DIFFERENCE) == ["k@4-14=bc at 10", "k@0-10=abc at 10", "k@7-17=c at 10"]


def test_a_record_is_late_once_the_window_that_begins_with_it_is() -> None:
    sut = play(Sliding(DIFFERENCE, grace=5))
    sut.send("a", 45)  # closed is what ends before 40
    assert sut.send("b", 30) == []
    assert sut.driver.dropped == 1, "its own window ended at 30: late, though the record is not"
    assert sut.send("c", 29) == []
    assert sut.driver.dropped == 2
    assert sut.send("d", 40) == ["k@35-45=ad at 45", "k@30-40=d at 40", "k@41-51=a at 45"]


def test_null_keys_and_null_values_are_dropped() -> None:
    sut = play(Sliding(DIFFERENCE))
    assert sut.send("a", 20, key=None) == []
    assert sut.send(None, 20) == []
    assert sut.driver.dropped == 2


def test_a_difference_of_zero_fails_at_the_first_record_that_is_not_dropped() -> None:
    sut = play(Sliding(0))
    sut.send(None, 1)
    with pytest.raises(ProcessingError, match="at least 1 ms"):
        sut.send("a", 1)


@given(st.lists(st.integers(0, 60), max_size=25))
def test_whatever_the_order_each_window_holds_what_lies_in_it(times: list[int]) -> None:
    sut = play(Sliding(DIFFERENCE, grace=LONG_GRACE))
    for number, time in enumerate(times):
        sut.send(chr(ord("a") + number), time)
    held = {start: Counter(value[0]) for start, value in _rows(sut)}
    assert held == _model(times)


def _rows(sut: Play) -> list[tuple[int, tuple[str, int]]]:
    store = sut.driver.store("fold")
    return [(window.start, content) for window, content in store.all()]


def _model(times: list[int]) -> dict[int, Counter[str]]:
    """All windows that end with a record, or begin right after one and hold something."""
    starts = {max(0, time - DIFFERENCE) for time in times}
    starts |= {time + 1 for time in times if any(time < other <= time + 1 + DIFFERENCE for other in times)}
    letters = {start: Counter[str]() for start in starts}
    for number, time in enumerate(times):
        for start in starts:
            if start <= time <= start + DIFFERENCE:
                letters[start][chr(ord("a") + number)] += 1
    return letters
