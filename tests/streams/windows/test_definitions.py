"""Arguments of windows (D1-D12)."""

from collections.abc import Callable

import pytest

from app.streams.windows.definitions import Hopping, JoinWindows, Sessions, Sliding, Tumbling, Unlimited, Windows


@pytest.mark.parametrize(
    ("kind", "arguments", "why"),
    [
        (Tumbling, (0,), "size .* must be positive"),
        (Tumbling, (1, -1), "grace cannot be negative"),
        (Hopping, (10, 0), "advance .* between 1 and its size"),
        (Hopping, (10, 11), "advance .* between 1 and its size"),
        (Hopping, (10, 5, -1), "grace cannot be negative"),
        (Sliding, (-1,), "difference .* cannot be negative"),
        (Sliding, (1, -1), "grace cannot be negative"),
        (Sessions, (-1,), "gap .* cannot be negative"),
        (Sessions, (1, -1), "grace cannot be negative"),
        (Unlimited, (-1,), "start .* cannot be negative"),
        (JoinWindows, (-5, 4), "must not end before it begins"),
    ],
)
def test_windows_that_cannot_be_are_refused(kind: Callable[..., object], arguments: tuple[int, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        kind(*arguments)


@pytest.mark.parametrize(
    ("windows", "least_retention", "closes_after"),
    [
        (Tumbling(10, 3), 13, 3),
        (Hopping(10, 2, 3), 13, 3),
        (Sliding(10, 3), 23, 3),
        (Sessions(10, 3), 13, 13),
        (Unlimited(), 2**63 - 1, 0),
    ],
)
def test_how_long_windows_are_kept_and_stay_open(windows: Windows, least_retention: int, closes_after: int) -> None:
    assert windows.least_retention == least_retention
    assert windows.closes_after == closes_after
