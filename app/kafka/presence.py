"""Whether a group can still take this process for a member, as far as it can know by itself."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

STOLEN_WITHIN = 60.0
"""Seconds. A static member that loses its place twice within them, and lives, has a rival."""


def awake() -> float:
    """Seconds, those included for which the machine slept: the others did not."""
    return time.clock_gettime(_CLOCK)


_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Presence:
    """Counts from when the last heartbeat that was acknowledged was sent."""

    def __init__(self, session_ms: int, clock: Callable[[], float] = awake) -> None:
        self._session = session_ms / 1000
        self._clock = clock
        self._heard_at = clock()
        self._losses: list[float] = []

    def heard(self) -> None:
        self._heard_at = self._clock()

    async def ask(self, heartbeat: Awaitable[bool]) -> bool:
        """Its result. The time of the question counts: the answer may have lain here while this process was stopped."""
        asked_at = self._clock()
        alive = bool(await heartbeat)
        if alive:
            self._heard_at = max(self._heard_at, asked_at)
        return alive

    @property
    def over(self) -> bool:
        """Silent for a session: whoever listens has given our tasks to others."""
        return self._clock() - self._heard_at > self._session

    def stolen(self) -> bool:
        """To be asked once for each loss: whether a live rival must be taking this member's name."""
        if self.over:
            return False
        now = self._clock()
        self._losses = [*(at for at in self._losses if now - at < STOLEN_WITHIN), now]
        return len(self._losses) > 1
