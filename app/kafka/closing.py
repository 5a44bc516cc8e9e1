"""Ends that are bounded: aiokafka's `stop()` may wait for a dead broker without end, or swallow a cancellation."""

import asyncio
import logging
from collections.abc import Awaitable

log = logging.getLogger(__name__)

_abandoned: set[asyncio.Future[None]] = set()


async def close(stopping: Awaitable[None], *, within: float) -> bool:
    """Whether `stopping` came to its end within so many seconds; if not it is cancelled and left behind."""
    task = asyncio.ensure_future(stopping)
    await asyncio.wait({task}, timeout=within)
    if not task.done():
        task.cancel()
        _abandoned.add(task)
        task.add_done_callback(_abandoned.discard)
        return False
    # With a dead broker aiokafka's consumer raises CancelledError out of its own stop.
    if not task.cancelled() and (error := task.exception()) is not None:
        log.debug("closing a client: %r", error)
    return True


def abandoned() -> int:
    """Ends that are still hanging. With any, the process must be left without waiting for its tasks."""
    return len(_abandoned)
