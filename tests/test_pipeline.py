"""The topology that the service is meant to run, on the test driver: a real one, without a broker."""

from app.pipeline import COUNTS, INPUT, PAIRS, TOTALS, Numbers, Pair, Totals, topology
from app.streams import Builder, seconds
from app.streams.serdes import int64, json, utf8
from app.streams.testing import Driver


def test_totals_windows_and_pairs() -> None:
    # s   0   1   2   3   4  …  9  10  11  12
    # A   0   2   4   6   8    18  20  22  24
    # B   1       3       5        11      13
    builder = Builder()
    topology(builder)
    with Driver(builder.build()) as driver:
        numbers = driver.input(INPUT, utf8, json(Numbers))
        for second in range(13):
            numbers.send("A", {"A": 2 * second}, at=seconds(second))
            if second % 2 == 0:
                numbers.send("B", {"B": second + 1}, at=seconds(second))
        totals = dict(driver.output(TOTALS, utf8, json(Totals)).read_pairs())
        counts = driver.output(COUNTS, utf8, int64).read_pairs()
        pairs = driver.output(PAIRS, utf8, json(Pair)).read_pairs()
    assert totals == {"A": Totals(13, sum(range(0, 26, 2))), "B": Totals(7, sum(range(1, 14, 2)))}
    assert counts == [("A@0", 10), ("B@0", 5)]
    expected = {Pair(2 * even, odd + 1) for even in range(13) for odd in range(0, 13, 2) if abs(even - odd) <= 2}
    assert {pair for _, pair in pairs} == expected
    assert len(pairs) == len(expected)


def test_a_stranger_with_two_numbers_in_one_record() -> None:
    builder = Builder()
    topology(builder)
    with Driver(builder.build()) as driver:
        driver.input(INPUT, utf8, json(Numbers)).send(None, {"X": 1, "Y": -1})
        totals = driver.output(TOTALS, utf8, json(Totals)).read_pairs()
    assert totals == [("X", Totals(1, 1)), ("Y", Totals(1, -1))]
