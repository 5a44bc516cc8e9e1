"""Sessions (D4-D6, A12)."""

from app.streams.windows.definitions import Sessions
from tests.streams.windows.playing import play


def test_a_gap_of_exactly_the_limit_still_merges() -> None:
    sut = play(Sessions(5))
    assert sut.send("a", 10) == ["k@10-10=a at 10"]
    assert sut.send("b", 15) == ["k@10-10=None at 10", "k@10-15=ab at 15"]
    assert sut.send("c", 21) == ["k@21-21=c at 21"]


def test_a_record_between_two_sessions_merges_both_oldest_first() -> None:
    sut = play(Sessions(5, grace=100))
    sut.send_all([("a", 10), ("b", 20)])
    assert sut.send("c", 15) == ["k@10-10=None at 10", "k@20-20=None at 20", "k@10-20=abc at 20"]


def test_a_session_that_keeps_its_bounds_gets_a_tombstone_all_the_same_unless_they_are_the_records_own() -> None:
    sut = play(Sessions(5))
    sut.send_all([("a", 10), ("b", 14)])
    assert sut.send("c", 12) == ["k@10-14=None at 14", "k@10-14=abc at 14"]
    sut = play(Sessions(5))
    sut.send("a", 10)
    assert sut.send("b", 10) == ["k@10-10=ab at 10"]


def test_lateness_is_that_of_the_merged_session() -> None:
    sut = play(Sessions(5, grace=2))
    sut.send("live", 20)
    # Closed is what ended before 20 - 5 - 2 = 13.
    assert sut.send("on the edge", 13, key="other") == ["other@13-13=on the edge at 13"]
    assert sut.send("late", 12, key="third") == []
    assert sut.driver.dropped == 1
    sut.send("bridge", 15)
    assert sut.send("rescued", 10) == ["k@15-20=None at 20", "k@10-20=livebridgerescued at 20"]


def test_null_keys_are_dropped_and_null_values_folded() -> None:
    sut = play(Sessions(5))
    assert sut.send("a", 1, key=None) == []
    assert sut.driver.dropped == 1
    assert sut.send(None, 1) == ["k@1-1=~ at 1"]


def test_results_and_tombstones_carry_no_headers() -> None:
    sut = play(Sessions(5))
    sut.records("a", 1, headers=(("h", b"1"),))
    assert [record.headers for record in sut.records("b", 2, headers=(("h", b"2"),))] == [(), ()]


def test_an_aggregate_of_none_deletes_the_session() -> None:
    sut = play(Sessions(5))
    sut.send("a", 1)
    assert sut.send("!", 1) == ["k@1-1=None at 1"]
    assert sut.send("b", 1) == ["k@1-1=b at 1"]


def test_without_a_gap_only_records_of_one_time_share_a_session() -> None:
    sut = play(Sessions(0, grace=5))
    assert sut.send_all([("a", 1), ("b", 1)]) == ["k@1-1=a at 1", "k@1-1=ab at 1"]
    assert sut.send("c", 2) == ["k@2-2=c at 2"]
