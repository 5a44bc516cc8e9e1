"""The wait for a broker's confirmation. An idempotent producer repeats for ever: nothing else tells that it is slow."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

PATIENCE = 3.0
"""Seconds without a confirmation from which on it is said."""


async def confirmed(sent: Sequence["asyncio.Future[Any]"], slow: Callable[[float], None]) -> list[Any]:
    """The outcome of each, errors included. `slow` is told the seconds waited, again and again."""
    begin = time.monotonic()
    pending = set(sent)
    while pending:
        _, pending = await asyncio.wait(pending, timeout=PATIENCE)
        if pending:
            slow(time.monotonic() - begin)
    return [future.exception() or future.result() for future in sent]
