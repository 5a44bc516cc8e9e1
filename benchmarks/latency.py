"""How long a record takes through the stream engine on a real Kafka, and how long the event loop is held meanwhile.

    scripts/bench latency [--rate 500] [--seconds 30] [--commit-ms 100] [--shape count]

Latency: from the broker's append time of an input record to the moment when a consumer of committed records has the
output that comes of it; whole milliseconds are cut from the former, so figures are up to 1 ms too large. At least once
and exactly once, the broker and the observer on one core, the service on another.

The loop: the service's own gauge (app_event_loop_lag_seconds, the worst of ten seconds), and how long /livez takes to
answer, asked every few milliseconds: whatever holds the loop holds the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.race import command
from benchmarks.race.broker import broker
from benchmarks.race.candidates import Guarantee
from benchmarks.race.cores import Cores
from benchmarks.race.instance import Instance, Setup
from benchmarks.race.traffic import Observer, prepare, traffic

WARM_S = 5.0
PROBE_S = 0.005
GAUGE_S = 5.0


@dataclass(frozen=True)
class Figures:
    """Milliseconds, each list sorted."""

    latencies: list[float]
    answers: list[float]
    lags: list[float]


async def measure(setup: Setup, options: argparse.Namespace, cores: Cores) -> Figures:
    """Raises InstanceFailed, or WrongResult where a count was lost or doubled."""
    await prepare(setup.servers, setup.input, setup.output)
    answers: list[float] = []
    lags: list[float] = []
    async with Instance(setup, cores) as instance:
        await instance.ready()
        observer = Observer(counting=setup.shape == "count")
        async with traffic(setup, observer, options.rate, options.keys):
            await observer.all_partitions(0, 30)
            await asyncio.sleep(WARM_S)
            begin = time.time() * 1000
            probing = asyncio.create_task(probe(instance, answers, lags))
            await asyncio.sleep(options.seconds)
            end = time.time() * 1000
            probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await probing
            # what was under way is seen within a commit; at this pace a second is ample
            await asyncio.sleep(1)
            instance.check()
        await instance.terminate()
    latencies = sorted(seen.at - seen.timestamp for seen in observer.seen if begin <= seen.timestamp < end)
    return Figures(latencies, sorted(answers), sorted(lags))


async def probe(instance: Instance, answers: list[float], lags: list[float]) -> None:
    asked = time.monotonic()
    while True:
        began = time.monotonic()
        await instance.http.get("/livez")
        answers.append((time.monotonic() - began) * 1000)
        if began - asked >= GAUGE_S:
            asked = began
            found = re.search(r"^app_event_loop_lag_seconds (\S+)", (await instance.http.get("/metrics")).text, re.M)
            if found:
                lags.append(float(found[1]) * 1000)
        await asyncio.sleep(PROBE_S)


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def run(options: argparse.Namespace, folder: Path, cores: Cores) -> None:
    guarantees: tuple[Guarantee, ...] = ("at_least_once", "exactly_once_v2")
    async with broker(folder) as servers:
        for guarantee in guarantees:
            name = f"latency-{uuid.uuid4().hex[:8]}"
            (folder / name).mkdir()
            setup = Setup(servers, name, options.shape, folder / name, guarantee, options.commit_ms, {})
            found = await measure(setup, options, cores)
            p50, p90, p99, p999 = (percentile(found.latencies, share) for share in (0.5, 0.9, 0.99, 0.999))
            print(
                f"{guarantee:16} {len(found.latencies):7,} records at {options.rate}/s, commit {options.commit_ms} ms: "
                f"p50 {p50:.1f}, p90 {p90:.1f}, p99 {p99:.1f}, p99.9 {p999:.1f}, max {found.latencies[-1]:.1f} ms"
            )
            print(
                f"{'':16} event loop held: /livez p50 {percentile(found.answers, 0.5):.1f}, "
                f"p99 {percentile(found.answers, 0.99):.1f}, max {found.answers[-1]:.1f} ms of {len(found.answers):,}; "
                f"the service's own gauge, worst {max(found.lags, default=0):.1f} ms",
                flush=True,
            )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench latency", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--commit-ms", type=int, default=100)
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--shape", choices=("stateless", "count"), default="count")
    options = parser.parse_args(arguments)
    return command.run(partial(run, options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
