"""Finds the broker of a home, or starts it there. Any number of processes may do so at once: one starts, all enter."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from app.broker.failure import last_cause
from app.broker.home import Home, Identity
from app.broker.jars import KAFKA_VERSION, Jar, provide
from app.broker.java import find_java
from app.broker.ports import HOST, settle
from app.broker.progress import Progress
from app.broker.properties import (
    CLIENT,
    CONTROLLER,
    LOGGING,
    Extra,
    broker_environment,
    client_address,
    format_arguments,
    jvm_command,
    render,
    server_arguments,
    server_properties,
)
from app.broker.seats import Deserted, Seat, join, open_seat, running
from app.errors import TryAgain
from app.settings.folders import user_folder
from app.settings.model import BrokerSettings
from app.threads import abandonable

OTHERS_S = 60.0
START_S = 120.0
STOP_S = 5.0


def home_of(options: BrokerSettings) -> Path:
    return (options.data_dir or user_folder("data", os.environ, sys.platform) / "broker").absolute()


def cache_of(options: BrokerSettings) -> Path:
    return (options.cache_dir or user_folder("cache", os.environ, sys.platform)).absolute()


class Entrance:
    """The way to a seat at the broker of a home, taken once, and again after its guardian was killed."""

    def __init__(self, home: Home, options: BrokerSettings, extra: Extra, say: Callable[[str], None]) -> None:
        self.home = home
        self._options = options
        self._extra = extra
        self._say = say

    def addresses(self) -> dict[str, str]:
        ports = self.home.identity().ports
        return {name: f"{HOST}:{port}" for name, port in ports.items() if name != CONTROLLER}

    async def enter(self, *, fresh: bool) -> tuple[Seat, bool]:
        """A seat, and whether the broker ran already."""
        self.home.prepare()
        # Most often somebody is there; then neither Java nor Kafka's files have to be.
        if (seat := await self._join(fresh)) is not None:
            return seat, True
        jvm = await self._jvm()
        deadline = time.monotonic() + OTHERS_S
        waiting = False
        while True:
            if (lock := self.home.try_lock()) is not None:
                try:
                    return await self._start(lock, jvm, fresh), False
                finally:
                    os.close(lock)
            if (seat := await self._join(fresh)) is not None:
                return seat, True
            if not waiting:
                self._say("waiting for the Apache Kafka that another process starts or ends")
                waiting = True
            if time.monotonic() > deadline:
                raise TryAgain(
                    f"another process has held {self.home.root / 'broker.lock'} for {OTHERS_S:.0f} s",
                    try_next="end it, or set APP_BROKER__DATA_DIR to another directory",
                )
            await asyncio.sleep(0.05)

    async def _join(self, fresh: bool) -> Seat | None:
        """A seat at the broker that runs, if it is what was asked for."""
        there = running(self.home)
        if there is not None and there.machine != socket.gethostname():
            raise TryAgain(
                f"{self.home.root} was left in use by the machine {there.machine}",
                try_next="set APP_BROKER__DATA_DIR to a directory of this machine",
            )
        try:
            seat = await join(self.home)
        except Deserted:
            from app.broker.orphans import end_orphans  # noqa: PLC0415 - psutil comes with the extra

            await abandonable(partial(end_orphans, self.home.root))
            return None
        if seat is None:
            return None
        port = self._options.port
        if fresh or (port and port != int(seat.address.rpartition(":")[2])):
            seat.drop()
            wish = "--fresh" if fresh else f"APP_BROKER__PORT={port}"
            raise TryAgain(
                f"{wish} cannot be had: the Apache Kafka in {self.home.root} serves others at {seat.address}",
                try_next="end them first, or set APP_BROKER__DATA_DIR to another directory",
            )
        return seat

    async def _jvm(self) -> list[str]:
        """The command line up to the main class. Fetches the files that are missing."""
        fetchers = []

        def fetch(folder: Path, needed: tuple[Jar, ...]) -> None:
            from app.broker.fetching import Fetcher  # noqa: PLC0415 - slow to import, and needed once

            fetchers.append(Fetcher(Progress(f"Apache Kafka {KAFKA_VERSION}", self._say, sys.stderr)))
            fetchers[-1](folder, needed)

        try:
            java = await abandonable(partial(find_java, self._options.java, os.environ))
            jars = await abandonable(partial(provide, cache_of(self._options), fetch))
        finally:
            for fetcher in fetchers:
                fetcher.abandon()
        return jvm_command(java, jars, self._options.heap_mb, self.home.root, self._extra.jvm)

    async def _start(self, lock: int, jvm: list[str], fresh: bool) -> Seat:
        """Under the lock: nobody else starts, and no broker uses the data."""
        identity, properties = self._lay_out(fresh)
        self._say(f"starting Apache Kafka {KAFKA_VERSION} with {jvm[0]}, its data in {self.home.data}")
        if not identity.formatted:
            await abandonable(self.home.wipe)
            await self._format([*jvm, *format_arguments(identity.cluster_id, properties, self._extra.format)], lock)
            self.home.keep(replace(identity, formatted=True))
        self.home.check(identity)
        spec: dict[str, Any] = {
            "command": [*jvm, *server_arguments()],
            "folder": str(self.home.root),
            "running": str(self.home.running),
            "address": client_address(properties),
            "restart": self._extra.restart,
            "start_s": START_S,
            "stop_s": STOP_S,
        }
        return await open_seat(spec, lock, self.home.log)

    def _lay_out(self, fresh: bool) -> tuple[Identity, dict[str, str]]:
        """The files of the next life."""
        identity = self.home.identity()
        if fresh:
            identity = identity.renewed()
        names = (CONTROLLER, CLIENT, *self._extra.listeners)
        chosen = {CLIENT: self._options.port} if self._options.port else {}
        identity = replace(identity, ports=settle(names, identity.ports, chosen))
        properties = server_properties(identity.ports, self._extra)
        self.home.sweep()
        self.home.keep(identity)
        self.home.write("server.properties", render(properties))
        self.home.write("log4j2.properties", LOGGING)
        return identity, properties

    async def _format(self, command: list[str], lock: int) -> None:
        with self.home.log.open("ab") as log:
            tool = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home.root,
                # It works on, and holds the lock, even when this process is killed.
                pass_fds=(lock,),
                start_new_session=True,
                env=broker_environment(os.environ),
            )
            try:
                status = await tool.wait()
            finally:
                if tool.returncode is None:
                    tool.kill()
                    await tool.wait()
        if status:
            cause = last_cause(self.home.log.read_text(errors="replace"))
            raise self.home.unusable(f"its storage cannot be formatted: {cause or f'exit status {status}'}")
