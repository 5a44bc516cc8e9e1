"""Punctuators: what a processor wants to be called for when time passes (H7-H10)."""

from __future__ import annotations

import heapq
from collections.abc import Callable

NEVER = 2**63 - 1
# Fewer schedules than these are not looked through for cancelled ones.
_FEW = 64


class Punctuator:
    """One schedule; its slots are `start + n * interval`."""

    __slots__ = ("cancelled", "interval", "node", "punctuate")

    def __init__(self, node: str, interval: int, punctuate: Callable[[int], None]) -> None:
        self.node = node
        self.interval = interval
        self.punctuate = punctuate
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Punctuators:
    """All schedules of one clock. due: when the earliest slot comes, NEVER if none does."""

    __slots__ = ("_count", "_many", "_slots", "due")

    def __init__(self) -> None:
        self._slots: list[tuple[int, int, Punctuator]] = []
        self._count = 0
        self._many = _FEW
        self.due = NEVER

    def __len__(self) -> int:
        """Cancelled ones too, as long as they are no more than the others."""
        return len(self._slots)

    def add(self, start: int, punctuator: Punctuator) -> None:
        if len(self._slots) >= self._many:
            # Whoever cancels a timer and sets another with each record would fill the memory long before they are due.
            self._slots = [slot for slot in self._slots if not slot[2].cancelled]
            heapq.heapify(self._slots)
            self._many = max(_FEW, 2 * len(self._slots))
        heapq.heappush(self._slots, (start, self._count, punctuator))
        self._count += 1
        self.due = self._slots[0][0]

    def fire(self, now: int, run: Callable[[Punctuator, int], None]) -> bool:
        """Run what is due, earliest slot first, each once however many of its slots have passed; whether any ran."""
        fired = False
        while self._slots and self._slots[0][0] <= now:
            slot, _, punctuator = heapq.heappop(self._slots)
            if not punctuator.cancelled:
                run(punctuator, now)
                fired = True
                if not punctuator.cancelled:
                    self.add(next_slot(slot, punctuator.interval, now), punctuator)
        self.due = self._slots[0][0] if self._slots else NEVER
        return fired


def next_slot(slot: int, interval: int, now: int) -> int:
    """The first slot of the grid after `now`; skipped ones are not repaid."""
    following = slot + interval
    if now < following:
        return following
    return slot + ((now - slot) // interval + 1) * interval
