"""How fast a worker with an empty state reads its tables back from their changelog, and what a restart costs.

    scripts/bench restore                          a million rows, each of another key; on disk, and in memory
    scripts/bench restore --rows 5000000 --keys 1000000 --partitions 1
    scripts/bench restore --profile                where the time goes, on standard error; slower

The changelog is written as the engine writes it: transactions of an idempotent producer, keys in an order no cache
likes, counts with timestamps. A whole worker then joins on another core and restores; every row is compared. The one on
disk is killed with -9, some rows are added, and its successor has to read those and no others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka.admin.new_topic import NewTopic

from app.kafka.clients import client_options, target
from app.kafka.internal_topics import ensure_internal_topics
from app.kafka.transactions import TransactionOptions, transactional_producer
from app.kafka.writing import RowWriter
from app.settings.model import KafkaSettings
from app.streams.model import Row, row
from benchmarks.race import command
from benchmarks.race.broker import admin, broker
from benchmarks.race.candidates import ROOT
from benchmarks.race.cores import Cores
from benchmarks.race.instance import InstanceFailed
from benchmarks.race.outputs import WrongResult
from benchmarks.race.restored import STORE, Order, Restored, row_of, topology

TRANSACTION = 10_000
"""Rows; what an instance under load commits at a time."""
WITHIN_S = 600.0


async def write(order: Order, begin: int, end: int) -> None:
    """The rows with these numbers."""
    changelog = topology(order.application).changelog(STORE)

    def rows(first: int) -> Iterator[Row]:
        for number in range(first, min(first + TRANSACTION, end)):
            key, count, time_ms = row_of(number, order.keys)
            yield row((changelog, None, key, count.to_bytes(8, "big"), time_ms, ()))

    options = client_options(KafkaSettings(), (order.servers,))
    async with transactional_producer(options, TransactionOptions(f"{order.application}-writer")) as producer:
        producer.begin()
        writer = RowWriter(producer, lambda _topic: order.partitions)
        sending = asyncio.ensure_future(writer.run())
        try:
            for first in range(begin, end, TRANSACTION):
                writer.write(rows(first))
                writer.cut()
                await writer.flush()
                await producer.commit({}, None)
                producer.begin()
                writer.reopen()
        finally:
            sending.cancel()
            await asyncio.wait({sending})
        await producer.abort()


class Process:
    """A worker that restores."""

    def __init__(self, order: Order, process: asyncio.subprocess.Process) -> None:
        self._order = order
        self._process = process

    async def restored(self) -> Restored:
        """Raises InstanceFailed, WrongResult."""
        found = Restored(**await self._said())
        if wrong := (await self._said())["wrong"]:
            raise WrongResult(f"{wrong} rows of the {self._order.store} store are not what was written")
        return found

    async def end(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]  # it was asked for
        if status := await asyncio.wait_for(self._process.wait(), WITHIN_S):
            raise InstanceFailed(f"the worker ended with {status}")

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def tell(self) -> None:
        self._process.stdin.write(json.dumps(asdict(self._order)).encode() + b"\n")  # type: ignore[union-attr]

    async def _said(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self._process.stdout.readline(), WITHIN_S)  # type: ignore[union-attr]
        if not line:
            raise InstanceFailed(f"the worker ended with {await self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said


@asynccontextmanager
async def worker(order: Order, cores: Cores) -> AsyncIterator[Process]:
    """Leaving the context kills it."""
    with cores.other():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.race.restored",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
    running = Process(order, process)
    try:
        await running.tell()
        yield running
    finally:
        await running.kill()


def say(what: str, found: Restored) -> None:
    print(
        f"{what:18} {found.rows:>10,} rows in {found.seconds:6.2f} s: {found.per_second:>8,.0f} rows/s, "
        f"{found.cpu / max(found.rows, 1) * 1e6:5.2f} us of CPU a row; every row is right",
        flush=True,
    )


async def restore(order: Order, missing: int, cores: Cores, *, killed: bool = False) -> Restored:
    """By a worker that ends well, or is killed with -9 when it is done."""
    async with worker(order, cores) as running:
        found = await running.restored()
        if found.rows != missing:
            raise WrongResult(f"{found.rows} rows were read, though {missing} were missing")
        if not killed:
            await running.end()
    return found


async def make(order: Order) -> None:
    """The topics, the changelog as the engine makes it."""
    async with admin(order.servers) as client:
        await client.create_topics([NewTopic(f"{order.application}-input", order.partitions, 1)])
    await ensure_internal_topics(target(KafkaSettings(), (order.servers,)), topology(order.application))


async def run(options: argparse.Namespace, folder: Path, cores: Cores) -> None:
    async with broker(folder) as servers:
        application = f"restore-{uuid.uuid4().hex[:8]}"
        rows, keys, partitions = options.rows, options.keys or options.rows, options.partitions
        order = Order(servers, application, "", "memory", rows, keys, partitions, options.profile)
        await make(order)
        await write(order, 0, rows)
        print(f"a changelog of {rows:,} rows, {keys:,} keys; partitions: {partitions}", flush=True)
        for _ in range(options.rounds):
            say("in memory", await restore(order, rows, cores))
        for number in range(1, options.rounds + 1):
            order = replace(order, store="disk", state_dir=str(folder / f"state-{number}"))
            say("on disk", await restore(order, rows, cores, killed=number == options.rounds))
        await write(order, rows, rows + options.delta)
        order = replace(order, rows=rows + options.delta)
        found = await restore(order, options.delta, cores)
        say("after kill -9", found)
        print(f"{'':18} it worked {found.since:.2f} s after the start of the worker")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench restore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, help="unset: as many as rows")
    parser.add_argument("--partitions", type=int, default=1, help="each is a task")
    parser.add_argument("--delta", type=int, default=10_000, help="rows that the killed worker misses")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    return command.run(partial(run, options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
