"""Blocking work beside the event loop that nobody has to wait for once it is unwanted."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def abandonable(work: Callable[[], T]) -> T:
    """As asyncio.to_thread, but a cancelled caller leaves the thread behind, and so does the end of the interpreter:
    neither a silent registry nor a held file lock delays the answer to a signal."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.cancelled():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]  # None only where T allows it

    def run() -> None:
        value: T | None = None
        error: BaseException | None = None
        try:
            value = work()
        except BaseException as failure:  # noqa: BLE001 - carried to the caller
            error = failure
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(settle, value, error)
            except RuntimeError:
                return  # closed between the question and the call: nobody is left to tell

    threading.Thread(target=run, daemon=True).start()
    return await result
