"""How long a record takes through the stream engine on a real Kafka, and how long the event loop is held meanwhile.

    scripts/bench latency [--rate 500] [--seconds 30] [--commit-ms 100] [--shape count]

Latency: from the broker's append time of an input record to the moment when a consumer of committed records has the
output that comes of it; whole milliseconds are cut from the former, so figures are up to 1 ms too large. At least once
and exactly once, each with its default commit interval unless --commit-ms says otherwise. Nothing is bound to a core:
broker, sender and observer together would wait for theirs, and that wait is not the service's.

The first line is the same without an engine, the observer reading what is sent: what broker and observer take of the
other figures.

The loop: the service's own gauge (app_event_loop_lag_seconds, the worst of ten seconds), and how long /livez takes to
answer, asked every few milliseconds: whatever holds the loop holds the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from app.settings.model import StreamsSettings
from benchmarks.race import command
from benchmarks.race.broker import broker, make
from benchmarks.race.candidates import Guarantee
from benchmarks.race.cores import Cores
from benchmarks.race.instance import Instance, Setup
from benchmarks.race.traffic import LOG_APPEND, Observer, pair, prepare, traffic

WARM_S: Final = 5.0
BROKER_WARM_S: Final = 5.0
SEEN_WITHIN_S: Final = 30.0
PROBE_S: Final = 0.005
GAUGE_S: Final = 5.0
GUARANTEES: Final[tuple[Guarantee, ...]] = ("at_least_once", "exactly_once_v2")


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
            latencies = await observed(observer, options.seconds, partial(probe, instance, answers, lags))
            instance.check()
        await instance.terminate()
    return Figures(latencies, sorted(answers), sorted(lags))


async def without_engine(servers: str, options: argparse.Namespace) -> list[float]:
    topic = f"latency-{uuid.uuid4().hex[:8]}"
    await make(servers, [topic], LOG_APPEND)
    observer = Observer(counting=False)
    async with pair(servers, (topic, topic), observer, options.rate, options.keys):
        return await observed(observer, options.seconds)


async def observed(
    observer: Observer, seconds: float, probing: Callable[[], Coroutine[Any, Any, None]] | None = None
) -> list[float]:
    """Sorted, of what is appended in so many seconds behind a warm-up; `probing` runs meanwhile."""
    await observer.all_partitions(0, SEEN_WITHIN_S)
    await asyncio.sleep(WARM_S)
    begin = time.time() * 1000
    with no_collections():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(probing()) if probing else None
            await asyncio.sleep(seconds)
            if task:
                task.cancel()
        end = time.time() * 1000
    # what was under way is seen within a commit; at this pace a second is ample
    await asyncio.sleep(1)
    return sorted(seen.at - seen.timestamp for seen in observer.seen if begin <= seen.timestamp < end)


@contextmanager
def no_collections() -> Iterator[None]:
    """A full collection takes 50 ms, in which this process neither sends nor sees anything."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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
    runs = 1 + len(GUARANTEES)
    print(f"{runs} runs of about {options.seconds + WARM_S + 6:.0f} s", flush=True)
    async with broker(folder, fully_compiled=False) as servers:
        await without_engine(servers, argparse.Namespace(**vars(options) | {"seconds": BROKER_WARM_S}))
        show("no engine", await without_engine(servers, options), options.rate)
        for guarantee in GUARANTEES:
            commit_ms = options.commit_ms or StreamsSettings(guarantee=guarantee).commit_every_ms
            name = f"latency-{uuid.uuid4().hex[:8]}"
            (folder / name).mkdir()
            setup = Setup(servers, name, options.shape, folder / name, guarantee, commit_ms, {})
            found = await measure(setup, options, cores)
            show(f"{guarantee}, commit {commit_ms:,} ms", found.latencies, options.rate)
            print(
                f"{'':32} event loop held: /livez p50 {percentile(found.answers, 0.5):.1f}, "
                f"p99 {percentile(found.answers, 0.99):.1f}, max {found.answers[-1]:.1f} ms of {len(found.answers):,}; "
                f"the service's own gauge, worst {max(found.lags, default=0):.1f} ms",
                flush=True,
            )


def show(title: str, latencies: Sequence[float], rate: int) -> None:
    p50, p90, p99, p999 = (percentile(latencies, share) for share in (0.5, 0.9, 0.99, 0.999))
    print(
        f"{title:32} {len(latencies):7,} records at {rate}/s: p50 {p50:.1f}, p90 {p90:.1f}, p99 {p99:.1f}, "
        f"p99.9 {p999:.1f}, max {latencies[-1]:.1f} ms",
        flush=True,
    )


def main(arguments: Sequence[str]) -> int:
    parser = command.parser("latency", __doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--shape", choices=("stateless", "count"), default="count")
    command.add_traffic(parser, rate=500, keys=1_000)
    return command.run(partial(run, parser.parse_args(arguments)), pin=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
