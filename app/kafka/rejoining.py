"""The rebalances that a member asks for: many wishes are one, at most one a second, and none while one is under way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

REJOIN_PAUSE = 1.0
"""Seconds between two rebalances that this member asks for."""


class Rejoining:
    """`ask` has aiokafka rejoin. It is called only while `settled`: between the answers to JoinGroup and to SyncGroup
    aiokafka would forget it."""

    def __init__(self, settled: Callable[[], bool], ask: Callable[[], None], pause: float = REJOIN_PAUSE) -> None:
        self._settled = settled
        self._ask = ask
        self._pause = pause
        self._nonce = 0
        self._wanted = False
        self._asked_at = -pause
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def want(self) -> None:
        """Soon; by then others may have asked for the same."""
        self._nonce += 1
        self._wanted = True
        self._arm()

    def want_later(self) -> None:
        """For what was missing in the rebalance that comes to its end now."""
        self._asked_at = time.monotonic()
        self.want()

    def join(self) -> int:
        """The nonce to join with: whatever was wanted is done with it."""
        self._wanted = False
        return self._nonce

    def joined(self) -> None:
        """What was wanted since the join was sent is wanted still."""
        if self._wanted:
            self._arm()

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None and not self._closed:
            pause = max(0.0, self._asked_at + self._pause - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(pause, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._wanted and self._settled():
            self._asked_at = time.monotonic()
            self._ask()
