"""Lengths of time."""

from app.streams import JoinWindows, days, hours, minutes, seconds


def test_all_are_whole_milliseconds() -> None:
    assert (seconds(1.5), minutes(1), hours(1), days(1)) == (1500, 60_000, 3_600_000, 86_400_000)
    assert isinstance(seconds(0.0004), int)


def test_a_symmetric_join_window() -> None:
    assert JoinWindows.within(seconds(5), grace=1) == JoinWindows(before=5000, after=5000, grace=1)
