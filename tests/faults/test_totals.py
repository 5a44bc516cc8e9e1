"""That totals which are not what the numbers come to are found."""

import pytest

from tests.faults.totals import Totals, differences

KEPT = {"A": [0, 2, 4, 0, 2], "B": [1, 3]}
EXACT = {"A": [(1, 0), (2, 2), (3, 6), (4, 6), (5, 8)], "B": [(1, 1), (2, 4)]}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert list(differences(KEPT, EXACT)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({**EXACT, "B": EXACT["B"][:1]}, "B: 1 totals of 2, none of them different"),
        ({**EXACT, "B": [*EXACT["B"], (3, 9)]}, "B: 3 totals of 2, none of them different"),
        ({"A": EXACT["A"]}, "B: 0 totals of 2, none of them different"),
        ({**EXACT, "A": EXACT["A"][:2] + EXACT["A"][1:]}, "A: 6 totals of 5, first (2, 2) where (3, 6) is due"),
        ({**EXACT, "B": [(1, 1), (2, 5)]}, "B: 2 totals of 2, first (2, 5) where (2, 4) is due"),
    ],
)
def test_what_is_lost_doubled_or_different_is_found(found: Totals, said: str) -> None:
    assert list(differences(KEPT, found)) == [said]
