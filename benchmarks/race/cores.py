"""Which core runs what. A process inherits its cores from the thread that starts it; a JVM counts them at its start."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

# guest is counted in user as well
IDLE: Final = frozenset({"idle", "iowait", "guest", "guest_nice"})


class Cores:
    """The broker, and this process with it, on one core; what is measured on another. macOS knows no such thing, and
    a machine with one core has no other: then nothing is pinned, which `words` says; nor if `pin` is False."""

    def __init__(self, *, pin: bool = True) -> None:
        self._all: list[int] = []
        if pin and sys.platform == "linux":
            self._all = sorted(os.sched_getaffinity(0))

    @property
    def pinned(self) -> bool:
        return len(self._all) > 1

    @property
    def words(self) -> str:
        if not self.pinned:
            return "not pinned"
        return f"broker on core {self._all[0]}, candidates on core {self._all[1]}"

    def busy(self) -> float:
        """Seconds in which the candidates' core was not idle, or kept by the machine below; 0 if nothing is pinned."""
        if not self.pinned:
            return 0.0
        times: dict[str, float] = psutil.cpu_times(percpu=True)[self._all[1]]._asdict()
        return sum(seconds for state, seconds in times.items() if state not in IDLE)

    def stay(self) -> None:
        """This process, and what it starts from now on, to the broker's core."""
        if sys.platform == "linux" and self.pinned:
            os.sched_setaffinity(0, {self._all[0]})

    @contextmanager
    def other(self) -> Iterator[None]:
        """What is started inside runs on the candidates' core, and so does this thread meanwhile."""
        if sys.platform != "linux" or not self.pinned:
            yield
            return
        os.sched_setaffinity(0, {self._all[1]})
        try:
            yield
        finally:
            os.sched_setaffinity(0, {self._all[0]})
