"""Processes of the service with the streams role alone, that are killed, stopped and started again by number."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.injections import CUT, STOPPED
from tests.faults.exactly_once.schedule import INSTANCES

ROOT: Final = Path(__file__).parents[3]
SESSION_S: Final = 6.0
"""The shortest that a broker allows by default."""
TERM_WITHIN_S: Final = 20.0
PYTHON_STARTS_WITHIN_S: Final = 0.5
SOUND: Final = "-"
"""No deliberate fault."""
SIGNS_OF_A_BUG: Final = ("Traceback (most recent call last)", "internal error", '"logger": "asyncio"')


@dataclass(frozen=True)
class Application:
    """How instances are run. fault, injections: what `broken` is given in every life; own_state: a state directory for
    each instance, else they share one and take slots; static: the usual ones keep their membership."""

    server: str
    names: of.Names
    folder: Path
    exactly_once: bool = True
    commit_ms: int = 150
    standbys: int = 0
    own_state: bool = True
    on_disk: bool = True
    static: bool = True
    fault: str = SOUND
    injections: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)

    def command(self, injection: str | None) -> list[str]:
        injections = [*self.injections, *([injection] if injection else [])]
        if self.fault == SOUND and not injections:
            return [sys.executable, "-m", "app"]
        return [sys.executable, "-m", "tests.faults.exactly_once.broken", self.fault, *injections]

    def state_dir(self, number: int) -> Path:
        return self.folder / (f"state-{number}" if self.own_state else "state")

    def environment(self, number: int) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "KAFKA_"))}
        settings = {
            "APP_ROLES": "streams",
            "APP_TOPOLOGY": of.APP_TOPOLOGY,
            "APP_KAFKA__BOOTSTRAP_SERVERS": self.server,
            "APP_HTTP__PORT": "0",
            "APP_STREAMS__APPLICATION_ID": self.names.application,
            "APP_STREAMS__GUARANTEE": "exactly_once_v2" if self.exactly_once else "at_least_once",
            "APP_STREAMS__COMMIT_INTERVAL_MS": str(self.commit_ms),
            "APP_STREAMS__STATE_DIR": str(self.state_dir(number)),
            "APP_STREAMS__STORE": "disk" if self.on_disk else "memory",
            "APP_STREAMS__SESSION_TIMEOUT_MS": str(int(SESSION_S * 1000)),
            "APP_STREAMS__STANDBYS": str(self.standbys),
        }
        # Who comes and goes leaves the group at once, and is not missed.
        if self.static and number < INSTANCES:
            settings["APP_STREAMS__INSTANCE_ID"] = f"instance-{number}"
        return {**inherited, **settings, **self.more}


class Instance:
    """One number, over all its lives. faults: what no instance may do."""

    def __init__(self, application: Application, number: int) -> None:
        self.application = application
        self.number = number
        self.log = application.folder / f"instance-{number}.log"
        self.faults: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._began = 0.0
        self._log_began = 0
        self._frozen = False

    @property
    def runs(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"instance {self.number} does not run")
        return self._process.pid

    async def start(self, injection: str | None = None) -> None:
        """Nothing where it runs. injection: for this life."""
        if self._process is None:
            with self.log.open("ab") as log:
                self._log_began = log.tell()
                self._process = await asyncio.create_subprocess_exec(
                    *self.application.command(injection),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=ROOT,
                    env=self.application.environment(self.number),
                )
            self._began = time.monotonic()

    def strike(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def kill(self) -> None:
        if (process := self._take()) is not None:
            process.kill()
            await process.wait()

    async def term(self) -> None:
        if (process := self._take()) is None:
            return
        young = time.monotonic() - self._began < PYTHON_STARTS_WITHIN_S
        process.terminate()
        try:
            status = await asyncio.wait_for(process.wait(), TERM_WITHIN_S)
        except TimeoutError:
            self.faults.append(f"instance {self.number} did not end within {TERM_WITHIN_S} s of SIGTERM")
            process.kill()
            await process.wait()
            return
        # Before Python has come to our first line, a signal has its default effect.
        if status != 0 and not (young and status == -signal.SIGTERM):
            self.faults.append(f"instance {self.number} ended with {status} after SIGTERM")

    async def wait(self, within: float) -> int:
        """Its exit status, where it is to end by itself. Raises TimeoutError."""
        if self._process is None:
            raise RuntimeError(f"instance {self.number} does not run")
        status = await asyncio.wait_for(self._process.wait(), within)
        self._process = None
        return status

    async def until_frozen(self, within: float) -> None:
        """By itself, in a life that was started for that. Raises TimeoutError."""
        begin = self._log_began
        async with asyncio.timeout(within):
            while STOPPED.encode() not in self.log.read_bytes()[begin:]:
                self.check()
                await asyncio.sleep(0.05)
        self._frozen = True

    def freeze(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGSTOP)
            self._frozen = True

    def thaw(self) -> None:
        if self._frozen and self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
        self._frozen = False

    def check(self) -> None:
        """Notes an end that nobody asked for."""
        if self._process is not None and self._process.returncode is not None:
            self.faults.append(f"instance {self.number} ended with {self._process.returncode}: {self.tail()}")
            self._process = None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-1_500:] if self.log.exists() else ""

    def read_log(self) -> list[str]:
        """Lines of the log that tell of a bug, and what follows them."""
        if not self.log.exists():
            return []
        text = self.log.read_text(errors="replace")
        # aiokafka's sender shows the traceback of an error that it did not raise itself.
        text = "\n".join(line for line in text.splitlines() if CUT not in line)
        places = [text.find(sign) for sign in SIGNS_OF_A_BUG if sign in text]
        return [f"{self.log.name}: {text[place : place + 2_000]}" for place in places]

    def _take(self) -> asyncio.subprocess.Process | None:
        """The process, if it lives, which from now on may end."""
        self.check()
        if self._frozen:
            self.thaw()
        process, self._process = self._process, None
        return process


class Instances:
    """The first `size` run unless a fault takes one away; numbers beyond come and go."""

    def __init__(self, application: Application, size: int) -> None:
        self.application = application
        self.size = size
        self._known: dict[int, Instance] = {}

    def __getitem__(self, number: int) -> Instance:
        if number not in self._known:
            self._known[number] = Instance(self.application, number)
        return self._known[number]

    @property
    def all(self) -> Sequence[Instance]:
        return [self._known[number] for number in sorted(self._known)]

    async def start(self) -> None:
        for number in range(self.size):
            await self[number].start()

    def check(self) -> None:
        for instance in self.all:
            instance.check()

    async def term(self) -> None:
        """All of them, one after another, so that each end is an orderly one of its own."""
        for instance in self.all:
            await instance.term()

    def faults(self) -> list[str]:
        return [fault for instance in self.all for fault in (*instance.faults, *instance.read_log())]


@asynccontextmanager
async def running(application: Application, size: int) -> AsyncIterator[Instances]:
    """Killed in the end, whatever came."""
    instances = Instances(application, size)
    try:
        await instances.start()
        yield instances
    finally:
        # First all of them: whoever is interrupted twice waits for nothing.
        for instance in instances.all:
            instance.strike()
        for instance in instances.all:
            await instance.kill()
