"""A private Kafka that a test may break, on the code that the service uses. Its calls block, in any kind of test;
in a coroutine start one with `await asyncio.to_thread(broker.start)`, for a start takes two seconds."""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from app.broker import Broker, Extra, embedded
from app.settings.model import BrokerSettings

T = TypeVar("T")
START_S = 60


def cache_dir() -> Path | None:
    """Where the broker's files are: in the user's cache unless the environment says otherwise. A test run fetches them
    only when no run of the service or of the tests has."""
    chosen = os.environ.get("APP_BROKER__CACHE_DIR")
    return Path(chosen) if chosen else None


KEEPS_OLD_RECORDS = {"log.retention.check.interval.ms": "2147483647"}
"""Records of tests have times of their own, years ago: after some minutes a broker would delete them."""


class BrokerUnderTest:
    """A broker with a home of its own. It keeps ports and data over `kill()` and `start()`."""

    def __init__(self, folder: Path, extra: Extra | None = None, heap_mb: int = 256) -> None:
        self.folder = folder
        self.said: list[str] = []
        extra = extra or Extra(restart=False)
        self._extra = replace(extra, properties={**KEEPS_OLD_RECORDS, **extra.properties})
        self._options = BrokerSettings(data_dir=folder, cache_dir=cache_dir(), heap_mb=heap_mb)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._context: AbstractAsyncContextManager[Broker] | None = None
        self._broker: Broker | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    @property
    def address(self) -> str:
        """host:port of its plain listener."""
        return self._running.address

    @property
    def addresses(self) -> dict[str, str]:
        """host:port of every client listener, by the name given in `Extra.listeners`."""
        return self._running.addresses

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def pid(self) -> int:
        """Of the JVM."""
        if (pid := self._running.pid) is None:
            raise RuntimeError("the broker is down")
        return pid

    def start(self) -> None:
        """Returns when the broker answers, at the same addresses and with the same data as before."""
        if self._context is not None:
            raise RuntimeError("the broker runs already")
        context = embedded(self._options, say=self.said.append, extra=self._extra)
        self._broker = self._wait(context.__aenter__())
        self._context = context

    def stop(self) -> None:
        """An orderly end; nothing when it is down."""
        if self._context is not None:
            context, self._context = self._context, None
            self._wait(context.__aexit__(None, None, None))

    def kill(self) -> None:
        """`kill -9`, and the port is closed on return."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def restart(self) -> None:
        """`kill -9` and start."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """It keeps its connections and answers nothing, until `resume()`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def _running(self) -> Broker:
        if self._broker is None:
            raise RuntimeError("the broker was never started")
        return self._broker

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)


class BrokerFactory:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._brokers = ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._brokers.close()

    def __call__(self, extra: Extra | None = None, heap_mb: int = 256) -> BrokerUnderTest:
        """A running broker, stopped with the test. A broker that dies stays dead unless `extra` says otherwise."""
        self._count += 1
        broker = BrokerUnderTest(self._folder / f"broker{self._count}", extra, heap_mb)
        return self._brokers.enter_context(broker)
