"""The link to Kafka: one place that knows whether it answers, and the only one that speaks of it in the log."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from app.errors import BrokerUnavailable, ServiceError

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2.0
"""Seconds between two attempts while Kafka is away: doubled from the one to the other."""
WHILE_UP = 1.0
"""Seconds between two looks while it answers."""
REPEAT_EVERY = 30.0
"""Once the pause is at its longest, one line in so many seconds is enough."""

Reach = Callable[[], Awaitable[None]]
"""Makes a connection of its own, up to the metadata, in bounded time; raises a ServiceError that names the step."""


class Link:
    """Tries Kafka again and again, each time on a fresh connection: the clients' own state says little in an outage."""

    def __init__(self, address: str, reach: Reach) -> None:
        self.address = address
        self._reach = reach
        self._up = asyncio.Event()
        self._look = asyncio.Event()
        self._was_up = False
        self.why = "not asked yet"
        """The last failure."""

    @property
    def up(self) -> bool:
        return self._up.is_set()

    def doubt(self) -> None:
        """A client met an error: look now rather than at the next turn."""
        self._look.set()

    async def wait_up(self) -> None:
        await self._up.wait()

    async def up_before(self, stop: asyncio.Event) -> bool:
        """Waits for Kafka; False: it is time to stop."""
        waiting, stopping = asyncio.ensure_future(self._up.wait()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stopping.cancel()
        return not stop.is_set()

    async def watch(self) -> None:
        """Runs until cancelled. Raises what waiting cannot mend (a wrong setting, a refused login) before the first
        success; later the same is taken for an outage, since a cluster in change may say anything for a while."""
        pause, down_since, last_line = FIRST_PAUSE, time.monotonic(), float("-inf")
        while True:
            now = time.monotonic()
            try:
                await self._reach()
            except ServiceError as error:
                if not self._was_up and not isinstance(error, BrokerUnavailable):
                    raise
                if self.up:
                    down_since, pause = now, FIRST_PAUSE
                    self._up.clear()
                self.why = error.what if self._was_up else str(error)
                if pause < LONGEST_PAUSE or now - last_line >= REPEAT_EVERY:
                    last_line = now
                    log.warning("waiting for Kafka at %s: %s; next attempt in %.2g s", self.address, self.why, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if not self.up:
                if self._was_up:
                    log.info("Kafka at %s answers again after %.1f s", self.address, now - down_since)
                else:
                    log.info("Kafka at %s answers", self.address)
                self._was_up = True
                self._up.set()
            await self._wait_for_doubt()

    async def _wait_for_doubt(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(WHILE_UP):
                await self._look.wait()
        self._look.clear()
