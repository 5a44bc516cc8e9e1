"""How long outputs stop when an instance of the stream engine ends, in each of the ways it can.

    scripts/bench failover                       every case, three times
    scripts/bench failover --cases term,kill --rounds 5

Two instances share four partitions of a steady input (a count with its changelog, exactly once, commit 100 ms); an
observer of committed outputs notes when each comes. One instance ends; the pause is the longest time without an
output in any partition. All outputs are checked: each key must count 1, 2, 3 … over the whole run.

    term      SIGTERM of an owner             kill       kill -9 of it
    offsets   it dies with its offsets in     ending     it dies with EndTxn sent and not answered
              the transaction, EndTxn not sent
    standby   kill -9, the other has copies: how many records it restored then is printed; without copies all are read
    restart   kill -9 of the only instance and its start again, with many keys on disk: from its end to the first
              new output, and the records restored
    static    the same with a static membership (APP_STREAMS__INSTANCE_ID)
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from app.kafka.failpoints import Step
from benchmarks.race import command
from benchmarks.race.broker import PARTITIONS, admin, broker, committed, make
from benchmarks.race.candidates import ENDS_WITHIN_S
from benchmarks.race.command import Estimate, names_of
from benchmarks.race.cores import Cores
from benchmarks.race.instance import Instance, Setup
from benchmarks.race.load import produce
from benchmarks.race.traffic import Observer, prepare, traffic

OF_TWO: Final = ("term", "kill", "offsets", "ending", "standby")
OF_ONE: Final = ("restart", "static")
CASES: Final = OF_TWO + OF_ONE
STEPS: Final = {"offsets": Step.OFFSETS_HELD, "ending": Step.END_SENT}
SETTLED_S: Final = 3.0
AGAIN_WITHIN_S: Final = 60.0
PREPARED_WITHIN_S: Final = 300.0
# Of a round beside the session time-out, and once to fill a million keys; for the estimate.
ROUND_S: Final = 20.0
MILLION_S: Final = 60.0


class Pause(NamedTuple):
    """Seconds; and changelog records that were read before work went on."""

    seconds: float
    restored: int


Tell = Callable[[Pause], None]


async def of_two(setup: Setup, case: str, options: argparse.Namespace, cores: Cores) -> Pause:
    """The pause of the partition that stood longest."""
    await prepare(setup.servers, setup.input, setup.output)
    observer = Observer()
    dying = ("benchmarks.race.dying", STEPS[case].name) if case in STEPS else ("app",)
    async with (
        Instance(setup, cores, dying) as first,
        Instance(setup, cores) as second,
        traffic(setup, observer, options.rate, options.keys),
    ):
        await first.ready()
        await second.ready()
        await shared(first, second, copies=case == "standby")
        await observer.all_partitions(0, AGAIN_WITHIN_S)
        await asyncio.sleep(SETTLED_S)
        before = await second.restored()
        begin = time.time() * 1000
        first.process.send_signal(signals(case))
        await observer.all_partitions(int(begin) + 1_000, AGAIN_WITHIN_S)
        await asyncio.sleep(SETTLED_S)
        await asyncio.to_thread(first.process.wait, ENDS_WITHIN_S)
        second.check()
        restored = await second.restored() - before
    return Pause(longest_pause(observer, begin) / 1000, restored)


def signals(case: str) -> signal.Signals:
    if case in STEPS:
        return signal.SIGUSR1
    return signal.SIGTERM if case == "term" else signal.SIGKILL


async def shared(first: Instance, second: Instance, *, copies: bool) -> None:
    """Waits until both work on half of the partitions, and with `copies` each has the other half as standbys."""
    half = PARTITIONS // 2

    async def works(instance: Instance) -> bool:
        return await instance.tasks("running") == half and (not copies or await instance.tasks("standby") == half)

    async with asyncio.timeout(AGAIN_WITHIN_S):
        while not (await works(first) and await works(second)):  # noqa: ASYNC110  # it is asked over HTTP
            await asyncio.sleep(0.1)


def longest_pause(observer: Observer, begin: float) -> float:
    """ms between two outputs of one partition, the second of them after `begin`."""
    times: dict[int, list[float]] = defaultdict(list)
    for seen in observer.seen:
        times[seen.partition].append(seen.at)
    return max(after - before for each in times.values() for before, after in pairwise(each) if after >= begin)


async def of_one(setup: Setup, options: argparse.Namespace, cores: Cores, tell: Tell) -> None:
    """Each round: from the kill of the instance, which is started again at once, to its first new output."""
    load = await produce(setup.servers, setup.input, options.restart_keys, options.restart_keys)
    await make(setup.servers, [setup.output])
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(Instance(setup, cores))
        await done(instance, setup, load.records)
        observer = Observer()
        await stack.enter_async_context(traffic(setup, observer, options.rate, options.restart_keys))
        for _ in range(options.rounds):
            await observer.all_partitions(time.time_ns() // 1_000_000, PREPARED_WITHIN_S)
            await asyncio.sleep(SETTLED_S)
            instance.process.kill()
            await asyncio.to_thread(instance.process.wait)
            begin = time.time() * 1000
            instance = await stack.enter_async_context(Instance(setup, cores))
            await observer.all_partitions(int(begin), AGAIN_WITHIN_S)
            first = min(seen.at for seen in observer.seen if seen.timestamp > begin)
            tell(Pause((first - begin) / 1000, await instance.restored()))


async def done(instance: Instance, setup: Setup, records: int) -> None:
    """Waits until so many are processed and committed."""
    async with admin(setup.servers) as client, asyncio.timeout(PREPARED_WITHIN_S):
        while sum((await committed(client, setup.application, setup.input)).values()) < records:
            instance.check()
            await asyncio.sleep(0.2)


async def rounds(case: str, servers: str, options: argparse.Namespace, place: tuple[Path, Cores], tell: Tell) -> None:
    folder, cores = place
    more = {"STREAMS__SESSION_TIMEOUT_MS": str(options.session_ms)}
    more |= {"standby": {"STREAMS__STANDBYS": "1"}, "static": {"STREAMS__INSTANCE_ID": "only"}}.get(case, {})

    def setup() -> Setup:
        name = f"failover-{case}-{uuid.uuid4().hex[:8]}"
        (folder / name).mkdir()
        return Setup(servers, name, "count", folder / name, "exactly_once_v2", 100, more)

    if case in OF_ONE:
        await of_one(setup(), options, cores, tell)
        return
    for _ in range(options.rounds):
        tell(await of_two(setup(), case, options, cores))


async def run(options: argparse.Namespace, folder: Path, cores: Cores) -> None:
    silent = sum(case in ("kill", "offsets", "ending", "standby") for case in options.cases)
    filled = sum(case in OF_ONE for case in options.cases) * options.restart_keys / 1e6 * MILLION_S
    runs = len(options.cases) * options.rounds
    estimate = Estimate(runs, ROUND_S + (filled + silent * options.rounds * options.session_ms / 1000) / runs)
    async with broker(folder) as servers:
        for case in options.cases:
            found: list[Pause] = []

            def tell(pause: Pause, case: str = case, found: list[Pause] = found) -> None:
                found.append(pause)
                print(
                    f"  {case:8} {pause.seconds:6.2f} s, {pause.restored:9,} restored   {estimate.step()}", flush=True
                )

            await rounds(case, servers, options, (folder, cores), tell)
            seconds = [pause.seconds for pause in found]
            print(
                f"{case:8} {median(seconds):6.2f} s, worst {max(seconds):.2f} s; restored at most "
                f"{max(pause.restored for pause in found):,} records; session time-out {options.session_ms / 1000:g} s",
                flush=True,
            )


def main(arguments: Sequence[str]) -> int:
    parser = command.parser("failover", __doc__)
    parser.add_argument("--cases", type=names_of(CASES), default=CASES, help=f"of {','.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--restart-keys", type=int, default=1_000_000, help="keys on disk in the case restart")
    parser.add_argument("--session-ms", type=int, default=10_000)
    return command.run(partial(run, parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
