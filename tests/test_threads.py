import asyncio
import threading

import pytest

from app.threads import abandonable


async def test_what_the_work_gives_or_raises_is_the_caller_s() -> None:
    assert await abandonable(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        await abandonable(lambda: 1 // 0)


async def test_a_cancelled_caller_does_not_wait_for_the_work() -> None:
    release, ended = threading.Event(), threading.Event()

    def work() -> None:
        release.wait()
        ended.set()

    task = asyncio.create_task(abandonable(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ended.is_set()
    release.set()
    assert await asyncio.to_thread(ended.wait, 10)
