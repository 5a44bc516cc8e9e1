"""What both sides of a windowed left or outer join know of time (A8; Java: KStreamImplJoin.TimeTracker)."""

from __future__ import annotations

from typing import Final

LARGEST_LONG: Final = 2**63 - 1


class TimeTracker:
    """One per join and task. All times in ms. In Java a restart begins anew; here the first two are remembered.

    stream_time: highest timestamp of either side, of records that are dropped too.
    earliest: timestamp of the oldest row that may be waiting, the largest long if none is known.
    next_scan: wall clock time before which nobody looks.
    oldest: no row below it waits; only spares reading rows that are gone.
    """

    __slots__ = ("earliest", "next_scan", "oldest", "stream_time")

    def __init__(self) -> None:
        self.stream_time = -1
        self.earliest = LARGEST_LONG
        self.next_scan = 0
        self.oldest = 0

    def may_be_closed(self, reach: int) -> bool:
        """Whether a window that ends `reach` after the earliest row has closed.

        Java's sum overflows while no row is known. That makes it look once after a restart, when rows of the life
        before may wait; without reach and grace it does not overflow, and those rows wait for a newly buffered one.
        """
        end = self.earliest + reach
        if end > LARGEST_LONG:
            end -= 2**64
        return end < self.stream_time
