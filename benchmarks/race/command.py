"""What the benchmarks on a real Kafka have in common as commands: cores, a folder that goes away, failures in words."""

from __future__ import annotations

import argparse
import asyncio
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from app import loop
from benchmarks.race.cores import Cores
from benchmarks.race.instance import InstanceFailed
from benchmarks.race.outputs import WrongResult
from benchmarks.race.run import RunFailed
from tests.java import KAFKA

FAILURES: Final = (
    InstanceFailed,
    RunFailed,
    WrongResult,
    TimeoutError,
    subprocess.TimeoutExpired,
    httpx.TransportError,
)


def parser(name: str, documentation: str | None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"scripts/bench {name}",
        description=documentation,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_traffic(parser: argparse.ArgumentParser, rate: int, keys: int) -> None:
    """What is sent, and how often it is committed; with their defaults."""
    parser.add_argument("--rate", type=int, default=rate, help="records/s")
    parser.add_argument("--keys", type=int, default=keys)
    parser.add_argument("--commit-ms", type=int, help="the guarantee's default unless told otherwise")


def names_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """For argparse: names of these, separated by commas."""

    def names(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not of {', '.join(known)}")
        return found

    return names


def run(work: Callable[[Path, Cores], Awaitable[object]], *, pin: bool = True) -> int:
    """Exit status: 1 when something failed or came out wrong, which is then said on standard error; 143 after SIGTERM.
    In any case what was started is ended, and the folder goes."""
    cores = Cores(pin=pin)
    cores.stay()
    print(f"{platform.platform()}, Python {platform.python_version()}, Kafka {KAFKA}; {cores.words}", flush=True)

    async def main(folder: Path) -> None:
        if (task := asyncio.current_task()) is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await work(folder, cores)

    status = 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            loop.run(main(Path(folder)))
        except* FAILURES as failures:
            for failure in leaves(failures):
                say_failed(failure)
            status = 1
        except* asyncio.CancelledError:
            status = 128 + signal.SIGTERM
    return status


def say_failed(failure: BaseException) -> None:
    print(f"{type(failure).__name__}: {failure}", file=sys.stderr, flush=True)


def leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


class Estimate:
    """How long the rest takes: `runs` of `seconds` each, as is thought at first, later as those that are over took."""

    def __init__(self, runs: int, seconds: float) -> None:
        self._runs, self._done = runs, 0
        self._seconds = seconds
        self._began = time.monotonic()
        print(f"{runs} runs of about {seconds:.0f} s: {self.words}", flush=True)

    def step(self) -> str:
        """Of the run that is over: its number, and what is left."""
        self._done += 1
        self._seconds = (time.monotonic() - self._began) / self._done
        return f"{self._done}/{self._runs}, {self.words}"

    @property
    def words(self) -> str:
        left = (self._runs - self._done) * self._seconds
        return f"{left / 60:.1f} min left, until {time.strftime('%H:%M', time.localtime(time.time() + left))}"
