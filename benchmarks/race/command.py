"""What the benchmarks on a real Kafka have in common as commands: cores, a folder that goes away, failures in words."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.race.cores import Cores
from benchmarks.race.instance import InstanceFailed
from benchmarks.race.outputs import WrongResult
from benchmarks.race.run import RunFailed
from tests.java import KAFKA


def run(work: Callable[[Path, Cores], Awaitable[object]]) -> int:
    """Exit status: 1 when something failed or came out wrong, which is then said on standard error."""
    cores = Cores()
    cores.stay()
    print(f"{platform.platform()}, Python {platform.python_version()}, Kafka {KAFKA}; {cores.words}", flush=True)

    async def main(folder: Path) -> None:
        await work(folder, cores)

    status = 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            asyncio.run(main(Path(folder)))
        except* (InstanceFailed, RunFailed, WrongResult, TimeoutError, subprocess.TimeoutExpired) as failures:
            for failure in leaves(failures):
                print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
            status = 1
    return status


def leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
