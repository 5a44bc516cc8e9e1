"""The event loop of the process: uvloop where there is one, its lag, and what is said of errors that nobody awaited."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

_new_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop
except ImportError:  # no wheel for this interpreter: asyncio's own loop does the same, slower
    _new_loop = asyncio.new_event_loop
else:
    _new_loop = uvloop.new_event_loop

T = TypeVar("T")
_log = logging.getLogger("asyncio")

LAG_WINDOW_S = 10
_LAG_EVERY_S = 0.1


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a new loop, and end the loop with it."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.get_loop().set_exception_handler(report_stray)
        return runner.run(main)


def report_stray(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """One line for an error that a client library left behind in a task or future; asyncio's full report for all else.

    aiokafka drops futures when a connection breaks. Their errors have been told where they arose, so the traceback adds
    nothing; that they happened is still said. An error from our own code is a bug and keeps its traceback.
    """
    error = context.get("exception")
    if isinstance(error, Exception) and _is_from_a_client(error):
        what = context.get("future") or context.get("task")
        _log.warning(f"{type(error).__name__} left behind by aiokafka in {_name(what)}: %s", error)
    else:
        loop.default_exception_handler(context)


def _is_from_a_client(error: Exception) -> bool:
    if type(error).__module__.startswith("aiokafka."):
        return True
    if not isinstance(error, OSError | EOFError | TimeoutError):
        return False
    return any(name.partition(".")[0] == "aiokafka" for name in _modules(error.__traceback__))


def _modules(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        yield str(traceback.tb_frame.f_globals.get("__name__", ""))
        traceback = traceback.tb_next


def _name(future: object) -> str:
    coroutine = future.get_coro() if isinstance(future, asyncio.Task) else None
    # Without numbers: the name is part of what counts as "the same line again".
    return getattr(coroutine, "__qualname__", "a future")


class LagWindow:
    """The worst of the last seconds, in constant memory. Times in seconds."""

    def __init__(self, window_s: int = LAG_WINDOW_S) -> None:
        self._worst_of: deque[tuple[int, float]] = deque(maxlen=window_s)
        self._window_s = window_s

    def record(self, now: float, lag: float) -> None:
        second = int(now)
        if self._worst_of and self._worst_of[-1][0] == second:
            lag = max(lag, self._worst_of.pop()[1])
        self._worst_of.append((second, lag))

    def worst(self, now: float) -> float:
        return max((lag for second, lag in self._worst_of if now - second <= self._window_s), default=0.0)


@contextmanager
def watch_lag(every_s: float = _LAG_EVERY_S) -> Iterator[Callable[[], float]]:
    """Measure how late the running loop wakes up; yields a function that gives the worst of the last ten seconds."""
    loop = asyncio.get_running_loop()
    window = LagWindow()
    due = time.monotonic() + every_s
    timer: asyncio.TimerHandle

    def wake() -> None:
        nonlocal due, timer
        now = time.monotonic()  # not loop.time(): uvloop's stands still while callbacks run
        window.record(now, max(0.0, now - due))
        due = now + every_s
        timer = loop.call_later(every_s, wake)

    def worst() -> float:
        now = time.monotonic()
        # Whoever asks may be the one who is late.
        return max(window.worst(now), now - due, 0.0)

    timer = loop.call_later(every_s, wake)
    try:
        yield worst
    finally:
        timer.cancel()
