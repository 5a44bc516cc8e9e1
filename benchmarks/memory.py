"""What memory an instance of the stream engine holds under load, minute by minute.

    scripts/bench memory [--minutes 30] [--rate 10000] [--keys 100000] [--store disk]

A count with its changelog, exactly once, commit 100 ms, over a real Kafka. Resident memory of the service's process,
once a second, with the pages of its tables that are mapped; a line a minute, and at the end the most and the slope of
a straight line through the second half, so that what fills at first does not count. All outputs are checked: each key
must count 1, 2, 3 …
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import linear_regression, median

from benchmarks.race import command
from benchmarks.race.broker import broker
from benchmarks.race.cores import Cores
from benchmarks.race.instance import Instance, Setup
from benchmarks.race.traffic import Observer, prepare, traffic

SAMPLE_S = 1.0
AIM_MIB = 200


async def run(options: argparse.Namespace, folder: Path, cores: Cores) -> None:
    async with broker(folder) as servers:
        name = f"memory-{uuid.uuid4().hex[:8]}"
        setup = Setup(
            servers, name, "count", folder, "exactly_once_v2", options.commit_ms, {"STREAMS__STORE": options.store}
        )
        await prepare(servers, setup.input, setup.output)
        async with Instance(setup, cores) as instance:
            await instance.ready()
            print(f"idle: {instance.rss_mib():.0f} MiB", flush=True)
            observer = Observer(keep=False)
            async with traffic(setup, observer, options.rate, options.keys):
                samples = await watched(instance, observer, options.minutes)
            await instance.terminate()
    half = samples[len(samples) // 2 :]
    slope, _ = linear_regression([at for at, _ in half], [rss for _, rss in half])
    most = max(rss for _, rss in samples)
    rate = observer.total / (options.minutes * 60)
    print(f"{options.rate:,} records/s asked, {rate:,.0f} seen; {options.keys:,} keys, {options.store}")
    print(
        f"at most {most:.0f} MiB ({'under' if most < AIM_MIB else 'NOT under'} {AIM_MIB}); "
        f"second half {slope * 60:+.2f} MiB a minute, {slope * 1800:+.1f} in half an hour",
        flush=True,
    )


async def watched(instance: Instance, observer: Observer, minutes: float) -> list[tuple[float, float]]:
    """(seconds, MiB) of every second; prints each minute's median."""
    samples: list[tuple[float, float]] = []
    begin, said, seen = time.monotonic(), 0, 0
    while (now := time.monotonic() - begin) < minutes * 60:
        samples.append((now, instance.rss_mib()))
        if int(now // 60) > said:
            said += 1
            rate, seen = (observer.total - seen) / 60, observer.total
            rss = median(rss for _, rss in samples[-60:])
            print(f"minute {said:3}: {rss:6.1f} MiB, {rate:7,.0f} outputs/s", flush=True)
        await asyncio.sleep(SAMPLE_S)
    return samples


def main(arguments: Sequence[str]) -> int:
    parser = command.parser("memory", __doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--store", choices=("disk", "memory"), default="disk")
    command.add_traffic(parser, rate=10_000, keys=100_000)
    return command.run(partial(run, parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
