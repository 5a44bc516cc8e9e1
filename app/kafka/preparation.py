"""What has to be done once before clients open, by whichever of them opens first."""

import asyncio
import time
from collections.abc import Awaitable, Callable

HOLDS_FOR = 30.0
"""Seconds. A client that opens anew after an error some time later should find its topics again, or make them."""


class Preparation:
    """Clients that open together share one run of it."""

    def __init__(self, prepare: Callable[[], Awaitable[object]]) -> None:
        self._prepare = prepare
        self._turn = asyncio.Lock()
        self._done_at = float("-inf")

    async def __call__(self) -> None:
        """Raises what the preparation raises."""
        async with self._turn:
            if time.monotonic() - self._done_at >= HOLDS_FOR:
                await self._prepare()
                self._done_at = time.monotonic()
