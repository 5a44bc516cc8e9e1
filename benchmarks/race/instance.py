"""Instances of the service, told everything by their environment and asked over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import httpx
import psutil

from benchmarks.race.candidates import ENDS_WITHIN_S, ROOT, Guarantee
from benchmarks.race.cores import Cores

READY_WITHIN_S: Final = 90.0


class InstanceFailed(Exception):
    """It ended, or never began to work."""


@dataclass(frozen=True)
class Setup:
    """What all instances of one application are told; `more` are further settings, without APP_."""

    servers: str
    application: str
    shape: str
    folder: Path
    guarantee: Guarantee
    commit_ms: int | None
    """None: the default of the guarantee."""
    more: Mapping[str, str]

    @property
    def input(self) -> str:
        return f"{self.application}-input"

    @property
    def output(self) -> str:
        return f"{self.application}-output"

    def environ(self, port: int) -> dict[str, str]:
        settings = {
            "ROLES": "streams",
            "TOPOLOGY": f"benchmarks.race.topologies:{self.shape}",
            "KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "STREAMS__APPLICATION_ID": self.application,
            "STREAMS__GUARANTEE": self.guarantee,
            "STREAMS__STATE_DIR": str(self.folder / "state"),
            "HTTP__PORT": str(port),
            **({} if self.commit_ms is None else {"STREAMS__COMMIT_INTERVAL_MS": str(self.commit_ms)}),
            **self.more,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
        topics = {"RACE_INPUT": self.input, "RACE_OUTPUT": self.output}
        return kept | topics | {f"APP_{name}": value for name, value in settings.items()}


class Instance:
    """One process. Leaving the context kills it. `program`: the service, or a module that runs it otherwise."""

    def __init__(self, setup: Setup, cores: Cores, program: Sequence[str] = ("app",)) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        self.log = setup.folder / f"instance-{time.monotonic_ns()}.log"
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10.0)
        with self.log.open("wb") as output, cores.other():
            self.process = subprocess.Popen(
                [sys.executable, "-m", *program], stdout=output, stderr=output, cwd=ROOT, env=setup.environ(port)
            )
        self._watched = psutil.Process(self.process.pid)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        await self.http.aclose()

    def rss_mib(self) -> float:
        self.check()
        return self._watched.memory_info().rss / 2**20

    def check(self) -> None:
        """Raises InstanceFailed when it has ended."""
        if self.process.poll() is not None:
            raise InstanceFailed(f"it ended with {self.process.returncode}: {self._tail()}")

    async def ready(self) -> None:
        """Waits until /readyz says 200, which is when it has its tasks and their state."""
        until = time.monotonic() + READY_WITHIN_S
        said = "nothing"
        while time.monotonic() < until:
            self.check()
            try:
                answer = await self.http.get("/readyz")
            except httpx.TransportError as refused:
                said = type(refused).__name__
            else:
                if answer.status_code == 200:
                    return
                said = answer.text.strip()
            await asyncio.sleep(0.05)
        raise InstanceFailed(f"not ready within {READY_WITHIN_S:.0f} s ({said}): {self._tail()}")

    async def statistics(self) -> dict[str, Any]:
        answer = await self.http.get("/statistics")
        found: dict[str, Any] = answer.json()
        return found

    async def tasks(self, phase: str) -> int:
        played = (await self.statistics())["streams"]
        return sum(task["phase"] == phase for streams in played for task in streams["tasks"])

    async def restored(self) -> int:
        """Records of changelogs that were read, since its start, before tasks could run."""
        return sum(streams["restored"] for streams in (await self.statistics())["streams"])

    async def terminate(self) -> None:
        """SIGTERM, and waits; raises InstanceFailed when it does not end well."""
        self.process.send_signal(signal.SIGTERM)
        if status := await asyncio.to_thread(self.process.wait, ENDS_WITHIN_S):
            raise InstanceFailed(f"it ended with {status}: {self._tail()}")

    def _tail(self) -> str:
        return self.log.read_text("utf-8", errors="replace")[-3000:]
