"""`python -m app broker` as processes to end in every way, and what can be seen of them from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil

from app.broker.home import Home
from app.broker.properties import home_mark

DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Fails after the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


def is_unused(home: Path) -> bool:
    """Whether neither a guardian nor a JVM has this home: their last one holds its lock."""
    lock = Home(home).try_lock()
    if lock is None:
        return False
    os.close(lock)
    return True


def jvm(home: Path) -> psutil.Process:
    """The broker of this home; fails when there is not exactly one."""
    mark = f"-D{home_mark(home)}"
    (found,) = [each for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or ())]
    return found


class User:
    """A process that uses the broker of `home`."""

    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "KAFKA_"))}
        if cache := os.environ.get("APP_BROKER__CACHE_DIR"):
            environ["APP_BROKER__CACHE_DIR"] = cache
        self._errors = home.with_name(f"{home.name}.{id(self)}.err")
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "broker", *flags],
                cwd=ROOT,
                env={**environ, "APP_BROKER__DATA_DIR": str(home), **variables},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)
        self.process.wait(DEADLINE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def address(self) -> str:
        """Waits for the broker."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.errors()
        return line

    def end(self, number: int) -> int:
        """The exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def errors(self) -> str:
        """What it has written on stderr."""
        return self._errors.read_text()
