"""How long outputs stop when an instance of the stream engine ends, in each of the ways it can.

    scripts/bench failover                       every case, three times
    scripts/bench failover --cases term,kill --rounds 5

Two instances share four partitions of a steady input (a count with its changelog, exactly once, commit 100 ms); an
observer of committed outputs notes when each comes. One instance ends; the pause is the longest time without an
output in any partition. All outputs are checked: each key must count 1, 2, 3 … over the whole run.

    term      SIGTERM of an owner             kill       kill -9 of it
    standby   kill -9, with a standby copy    restart    kill -9 of the only instance and its start again, with many
                                                         keys on disk: from its end to the first new output
    static    the same with a static membership (APP_STREAMS__INSTANCE_ID)
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.race import command
from benchmarks.race.broker import PARTITIONS, admin, broker, committed, make
from benchmarks.race.cores import Cores
from benchmarks.race.instance import Instance, Setup
from benchmarks.race.load import produce
from benchmarks.race.traffic import Observer, prepare, send, traffic

CASES = ("term", "kill", "standby", "restart", "static")
SETTLED_S = 3.0
AGAIN_WITHIN_S = 60.0


async def of_two(setup: Setup, case: str, options: argparse.Namespace, cores: Cores) -> float:
    """Seconds without an output in the partition that stood longest."""
    await prepare(setup.servers, setup.input, setup.output)
    observer = Observer()
    async with (
        Instance(setup, cores) as first,
        Instance(setup, cores) as second,
        traffic(setup, observer, options.rate, options.keys),
    ):
        await first.ready()
        await second.ready()
        await shared(first, second)
        await observer.all_partitions(0, AGAIN_WITHIN_S)
        await asyncio.sleep(SETTLED_S)
        begin = time.time() * 1000
        os.kill(first.process.pid, signal.SIGTERM if case == "term" else signal.SIGKILL)
        await observer.all_partitions(int(begin) + 1_000, AGAIN_WITHIN_S)
        await asyncio.sleep(SETTLED_S)
        second.check()
    return longest_pause(observer, begin) / 1000


async def shared(first: Instance, second: Instance) -> None:
    """Waits until both work on half of the partitions."""
    async with asyncio.timeout(AGAIN_WITHIN_S):
        while {await first.active_tasks(), await second.active_tasks()} != {PARTITIONS // 2}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def longest_pause(observer: Observer, begin: float) -> float:
    """ms between two outputs of one partition, the second of them after `begin`."""
    times: dict[int, list[float]] = defaultdict(list)
    for seen in observer.seen:
        times[seen.partition].append(seen.at)
    return max(after - before for each in times.values() for before, after in pairwise(each) if after >= begin)


async def of_one(setup: Setup, options: argparse.Namespace, cores: Cores) -> float:
    """Seconds from the kill of an instance, which is started again at once, to its first new output."""
    load = await produce(setup.servers, setup.input, options.restart_keys, options.restart_keys)
    await make(setup.servers, [setup.output])
    async with Instance(setup, cores) as first:
        async with admin(setup.servers) as client, asyncio.timeout(AGAIN_WITHIN_S * 5):
            while sum((await committed(client, setup.application, setup.input)).values()) < load.records:
                first.check()
                await asyncio.sleep(0.2)
        observer = Observer()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send(setup.servers, setup.input, options.rate, options.restart_keys))
            watching = group.create_task(observer.run(setup.servers, setup.output))
            now = time.time_ns() // 1_000_000
            await observer.all_partitions(now, AGAIN_WITHIN_S)
            first.process.kill()
            await asyncio.to_thread(first.process.wait)
            begin = time.time() * 1000
            async with Instance(setup, cores):
                await observer.all_partitions(int(begin), AGAIN_WITHIN_S)
                sending.cancel()
                watching.cancel()
    return (min(seen.at for seen in observer.seen if seen.timestamp > begin) - begin) / 1000


async def run(options: argparse.Namespace, folder: Path, cores: Cores) -> None:
    async with broker(folder) as servers:
        for case in options.cases:
            pauses = []
            for _ in range(options.rounds):
                name = f"failover-{case}-{uuid.uuid4().hex[:8]}"
                (folder / name).mkdir()
                more = {"STREAMS__SESSION_TIMEOUT_MS": str(options.session_ms)}
                if case == "standby":
                    more["STREAMS__STANDBYS"] = "1"
                setup = Setup(servers, name, "count", folder / name, "exactly_once_v2", 100, more)
                if case == "static":
                    more["STREAMS__INSTANCE_ID"] = "only"
                if case in ("restart", "static"):
                    pauses.append(await of_one(setup, options, cores))
                else:
                    pauses.append(await of_two(setup, case, options, cores))
            each = ", ".join(f"{pause:.2f}" for pause in pauses)
            print(
                f"{case:8} {median(pauses):6.2f} s, worst {max(pauses):.2f} s ({each}); "
                f"session time-out {options.session_ms / 1000:g} s",
                flush=True,
            )


def cases(text: str) -> list[str]:
    found = text.split(",")
    if unknown := [case for case in found if case not in CASES]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not of {', '.join(CASES)}")
    return found


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench failover", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=cases, default=list(CASES), help=f"of {','.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--restart-keys", type=int, default=1_000_000, help="keys on disk in the case restart")
    parser.add_argument("--session-ms", type=int, default=10_000)
    options = parser.parse_args(arguments)
    return command.run(partial(run, options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
