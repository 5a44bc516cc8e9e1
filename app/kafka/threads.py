"""Blocking calls, off the event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], timeout: float) -> T:
    """What `work` returns or raises; TimeoutError after `timeout` seconds.

    The thread is a daemon of its own, not one of the loop's pool, which is waited for: a name service that never
    answers must not hold up the end of the process.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]  # it is a T where there is no error

    def run() -> None:
        value: T | None = None
        failure: BaseException | None = None
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=run, name="blocking call", daemon=True).start()
    async with asyncio.timeout(timeout):
        return await result
