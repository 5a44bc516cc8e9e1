"""The loop, its lag, and errors that nobody awaited."""

import asyncio
import gc
import logging
import time

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from app.loop import LAG_WINDOW_S, LagWindow, report_stray, run, watch_lag


async def which() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_it_runs_on_uvloop_and_returns_the_result() -> None:
    assert isinstance(run(which()), uvloop.Loop)


def test_an_error_of_main_passes_through() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fail())


async def test_a_held_loop_shows_as_lag() -> None:
    with watch_lag(every_s=0.01) as lag:
        time.sleep(0.3)  # noqa: ASYNC251 - the fault under test
        assert lag() > 0.2  # at once, though the timer has had no chance to fire
        await asyncio.sleep(0.05)  # now it has, and the next one is due: the window must remember
        assert 0.2 < lag() < 5


async def test_watching_ends_with_its_context() -> None:
    with watch_lag(every_s=0.001) as lag:
        pass
    await asyncio.sleep(0.05)
    assert lag() > 0.04  # nothing has been measured since


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 100))))
def test_the_window_gives_the_worst_of_the_last_seconds(steps: list[tuple[float, float]]) -> None:
    window, now, seen = LagWindow(), 0.0, []
    for step, lag in steps:
        now += step
        window.record(now, lag)
        seen.append((now, lag))
        recent = [lag for at, lag in seen if now - at <= LAG_WINDOW_S - 1]
        all_but_old = [lag for at, lag in seen if now - at <= LAG_WINDOW_S + 1]
        assert max(recent) <= window.worst(now) <= max(all_but_old)
    assert window.worst(now + LAG_WINDOW_S + 2) == 0.0


def leave_behind(error: Exception, caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Let a task fail that nobody awaits."""

    async def background() -> None:
        raise error

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(report_stray)
        task = asyncio.create_task(background())
        await asyncio.wait([task])
        del task
        gc.collect()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
    return [record for record in caplog.records if record.name == "asyncio" and record.levelno > logging.DEBUG]


def test_what_aiokafka_leaves_behind_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    lost = type("KafkaConnectionError", (Exception,), {"__module__": "aiokafka.errors"})("broker gone")
    [record] = leave_behind(lost, caplog)
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert record.getMessage() == (
        "KafkaConnectionError left behind by aiokafka in leave_behind.<locals>.background: broker gone"
    )


def test_what_our_own_code_leaves_behind_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    [record] = leave_behind(ValueError("a bug"), caplog)
    assert record.levelno == logging.ERROR
    assert record.exc_info


def test_a_network_error_counts_as_aiokafkas_only_if_it_came_through_it(caplog: pytest.LogCaptureFixture) -> None:
    [record] = leave_behind(OSError("ours"), caplog)
    assert record.levelno == logging.ERROR
