"""Work cut into slices by count: the core has no clock to cut it by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

# Of rows written to memory whose order is kept; without an order it is ten times as many.
_ROWS_PER_MS: Final = 500
# Whoever does not want slices.
WHOLE: Final = float("inf")
# More than memory holds, and still an index.
_ALL: Final = 1 << 62


def rows_of(slice_ms: float) -> int:
    """How many rows a slice of this length may write."""
    return max(1, int(min(slice_ms * _ROWS_PER_MS, _ALL)))


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


def finish(slices: Iterator[None]) -> None:
    """All that are left, at once."""
    for _ in slices:
        pass
