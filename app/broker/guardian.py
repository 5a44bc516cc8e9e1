"""The process that owns a broker's JVM. It runs alone, `python -I -S guardian.py SOCKET LOCK`, on the standard library.

A user of the broker is an open connection: the socket that the guardian was born with, or one to the port in
`running.json`. The kernel closes it however its process ends, so the broker ends with its last user, `kill -9` or not,
on every system. The guardian sits in a session of its own, where no terminal reaches it, and lets SIGTERM pass: whoever
stops everything stops the users too, and these still need the broker for their last commit.

To each user it writes reports, a JSON object a line:
    {"phase": "starting" | "ready" | "waiting" | "gone", "pid": of the JVM or null, "status": of the last exit or null,
     "pause": seconds until the next start or null}
A user says one thing, the end of its stream; the connection of the last one is closed when the JVM is no more.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STABLE_S = 10.0
LONGEST_PAUSE_S = 15.0
FAILED_STARTS = 5
GREETING_S = 5.0


@dataclass
class Restarts:
    """Decides when a broker that died is started again. Times are seconds of a monotonic clock."""

    was_ready: bool = False
    deaths: int = 0
    failed_starts: int = 0

    def died(self, now: float, ready_since: float | None) -> float | None:
        """Seconds to wait before the next start; None: not again. One that was never ready will not be next time."""
        if ready_since is None:
            self.failed_starts += 1
            if not self.was_ready or self.failed_starts >= FAILED_STARTS:
                return None
        else:
            self.was_ready = True
            self.failed_starts = 0
            if now - ready_since >= STABLE_S:
                self.deaths = 0
        self.deaths += 1
        return float(min(0.25 * 2 ** (self.deaths - 1), LONGEST_PAUSE_S))


class Guardian:
    def __init__(self, spec: dict[str, Any], lock: int) -> None:
        self._spec = spec
        self._lock = lock
        self._running = Path(spec["running"])
        self._users: set[asyncio.StreamWriter] = set()
        self._deserted = asyncio.Event()
        self._last: list[asyncio.StreamWriter] = []
        self._token = secrets.token_urlsafe(24)
        self._report: dict[str, Any] = {"phase": "starting", "pid": None, "status": None, "pause": None}
        self._jvm: asyncio.subprocess.Process | None = None

    async def run(self, first: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        attended = asyncio.create_task(self._attend(*first))
        server = await asyncio.start_server(self._greet, "127.0.0.1", 0)
        self._publish(server.sockets[0].getsockname()[1])
        tasks = [asyncio.create_task(self._deserted.wait()), asyncio.create_task(self._keep_running())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # First the file, then the port: who finds the file but no port behind it takes the guardian for killed.
            self._running.unlink(missing_ok=True)
            server.close()
            tasks[1].cancel()
            await asyncio.wait(tasks[1:])
            await self._end_jvm()
            os.close(self._lock)  # whoever sees the connection close may start the next broker at once
            for user in (*self._users, *self._last):
                user.close()
            attended.cancel()

    def _publish(self, port: int) -> None:
        new = self._running.with_suffix(".new")
        new.touch(mode=0o600)
        fields = {"machine": socket.gethostname(), "port": port, "token": self._token, "address": self._spec["address"]}
        new.write_text(json.dumps(fields))
        new.replace(self._running)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Other users of this machine reach the port, but cannot read the token."""
        try:
            token = await asyncio.wait_for(reader.readline(), GREETING_S)
        except (TimeoutError, OSError, ValueError):
            token = b""
        if not secrets.compare_digest(token.strip(), self._token.encode()) or self._deserted.is_set():
            writer.close()
            return
        await self._attend(reader, writer)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._users.add(writer)
        self._write(writer)
        try:
            while await reader.read(1024):
                pass
        except OSError:
            pass  # a reset is an end like any other
        self._users.discard(writer)
        if self._users:
            writer.close()
        else:
            self._last.append(writer)
            self._deserted.set()

    def _say(self, phase: str, pid: int | None, status: int | None = None, pause: float | None = None) -> None:
        self._report = {"phase": phase, "pid": pid, "status": status, "pause": pause}
        for user in self._users:
            self._write(user)

    def _write(self, user: asyncio.StreamWriter) -> None:
        user.write(json.dumps(self._report).encode() + b"\n")

    async def _keep_running(self) -> None:
        restarts = Restarts()
        while True:
            self._jvm = jvm = await self._start_jvm()
            self._say("starting", jvm.pid)
            ready_since = await self._ready(jvm)
            if ready_since is not None:
                self._say("ready", jvm.pid)
            status = await jvm.wait()
            pause = restarts.died(time.monotonic(), ready_since) if self._spec["restart"] else None
            if pause is None:
                self._say("gone", None, status)
                return
            self._say("waiting", None, status, pause)
            await asyncio.sleep(pause)

    async def _start_jvm(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._spec["command"],
            stdin=asyncio.subprocess.DEVNULL,
            cwd=self._spec["folder"],
            # The lock is held as long as a broker uses the data, even one whose guardian was killed.
            pass_fds=(self._lock,),
        )

    async def _ready(self, jvm: asyncio.subprocess.Process) -> float | None:
        """Waits for its port to open; the time it did, or None when it ended or took too long, and was ended."""
        host, _, port = self._spec["address"].rpartition(":")
        deadline = time.monotonic() + self._spec["start_s"]
        while jvm.returncode is None and time.monotonic() < deadline:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.03)
            else:
                itself = writer.get_extra_info("sockname") == writer.get_extra_info("peername")
                writer.close()
                # A connection to a free port that the kernel also chose as its own end reaches itself.
                if not itself:
                    return time.monotonic()
        await self._end_jvm()
        return None

    async def _end_jvm(self) -> None:
        if self._jvm is None or self._jvm.returncode is not None:
            return
        if self._report["phase"] != "ready":
            # A SIGTERM amid its start can hang it, and there is nothing yet that an orderly end would save.
            self._jvm.kill()
        else:
            self._jvm.terminate()
        try:
            await asyncio.wait_for(self._jvm.wait(), self._spec["stop_s"])
        except TimeoutError:
            self._jvm.kill()
            await self._jvm.wait()


async def guard(user: socket.socket, lock: int) -> None:
    reader, writer = await asyncio.open_connection(sock=user, limit=2**20)
    line = await reader.readline()
    if line:  # who started it may have ended before it said what to do
        await Guardian(json.loads(line), lock).run((reader, writer))


def main(user: int, lock: int) -> None:
    # Its parent returns at once: the guardian is nobody's child, so nobody has to wait for it.
    if os.fork():
        os._exit(0)
    # Not SIG_IGN, which the JVM would inherit and then be deaf to its own SIGTERM.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    asyncio.run(guard(socket.socket(fileno=user), lock))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
