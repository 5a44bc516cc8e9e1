"""A user's connection to the guardian: how it is had, what is heard on it, how it is given back."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.broker.home import Home
from app.broker.properties import broker_environment

GUARDIAN = Path(__file__).with_name("guardian.py")
ANSWER_S = 5.0


@dataclass(frozen=True)
class Report:
    """The broker as the guardian last saw it."""

    phase: Literal["starting", "ready", "waiting", "gone"]
    pid: int | None
    status: int | None
    pause: float | None


@dataclass(frozen=True)
class Running:
    """Where the guardian of a home listens."""

    machine: str
    port: int
    token: str
    address: str


class Seat:
    """While it is held, the broker is kept running."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        self.address = address
        self._reader = reader
        self._writer = writer
        self._proof: Report | None = None

    async def prove(self) -> bool:
        """Whether a guardian is at the other end: it says how the broker is. What else may listen there does not."""
        try:
            async with asyncio.timeout(ANSWER_S):
                self._proof = await self.report()
        except (TimeoutError, ValueError, TypeError):
            return False
        return self._proof is not None

    async def report(self) -> Report | None:
        """The next one; None when the guardian is no more."""
        if self._proof is not None:
            proof, self._proof = self._proof, None
            return proof
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return Report(**json.loads(line)) if line.endswith(b"\n") else None

    async def leave(self, patience_s: float) -> None:
        """Gives it back. The guardian answers at once, or to the last user when the broker has ended."""
        try:
            async with asyncio.timeout(patience_s):
                self._writer.write_eof()
                while await self._reader.read(4096):
                    pass
        except (OSError, TimeoutError):
            pass  # the guardian ends the broker without us
        finally:
            self.drop()

    def drop(self) -> None:
        self._writer.close()


class Deserted(Exception):
    """A guardian was there and is not: it was killed, and its broker may still run."""


def running(home: Home) -> Running | None:
    try:
        return Running(**json.loads(home.running.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return None  # not written by this version: whoever holds the lock is waited for


async def join(home: Home) -> Seat | None:
    """A seat at the broker that runs in `home`; None: there is none, or it is just ending."""
    there = running(home)
    if there is None or there.machine != socket.gethostname():
        return None
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
    except (OSError, TimeoutError) as error:
        # It takes its file away before it stops listening.
        if running(home) == there:
            raise Deserted from error
        return None
    seat = Seat(reader, writer, there.address)
    proved = False
    try:
        writer.write(there.token.encode() + b"\n")
        proved = await seat.prove()
    finally:
        if not proved:
            seat.drop()
    return seat if proved else None


async def open_seat(spec: dict[str, Any], lock: int, log: Path) -> Seat:
    """Starts a guardian; it inherits the lock."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            await asyncio.to_thread(_start_guardian, theirs.fileno(), lock, log)
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
    writer.write(json.dumps(spec).encode() + b"\n")
    return Seat(reader, writer, spec["address"])


def _start_guardian(user: int, lock: int, log: Path) -> None:
    with log.open("ab") as output:
        subprocess.run(
            [sys.executable, "-I", "-S", GUARDIAN, str(user), str(lock)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(user, lock),
            start_new_session=True,
            env=broker_environment(os.environ),
            cwd=log.parent,
            check=True,
        )
