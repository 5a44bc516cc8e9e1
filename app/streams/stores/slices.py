"""Work cut into slices by count: the core has no clock to cut it by."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")

# Of rows written to memory whose order is kept; without an order it is ten times as many.
_ROWS_PER_MS: Final = 500
# Whoever does not want slices.
WHOLE: Final = float("inf")
# More than memory holds, and still an index.
ALL: Final = (1 << 63) - 1


def rows_of(slice_ms: float) -> int:
    """How many rows a slice of this length may write."""
    return max(1, int(min(slice_ms * _ROWS_PER_MS, ALL >> 4)))


def shed(held: dict[Any, Any] | list[Any], slice_ms: float) -> Iterator[None]:
    """Let go of what nobody needs any more: a hundred thousand rows at once would take 10 ms."""
    # Letting go costs a tenth of writing.
    rows = rows_of(slice_ms) * 10
    while len(held) > rows:
        if isinstance(held, list):
            del held[-rows:]
        else:
            for _ in range(rows):
                held.popitem()
        yield
    held.clear()


def pieces(entries: dict[K, V], every: int) -> Iterator[Iterable[tuple[K, V]]]:
    """The entries, so many at a time."""
    if len(entries) <= every:
        yield entries.items()
        return
    left = iter(entries.items())
    while some := list(islice(left, every)):
        yield some


def result(slices: Generator[None, None, R]) -> R:
    """What comes of all slices, at once."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            value: R = end.value
            return value


def finish(slices: Iterator[None]) -> None:
    """All that are left, at once."""
    for _ in slices:
        pass
