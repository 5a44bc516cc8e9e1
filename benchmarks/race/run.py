"""One candidate over one input: started, watched, stopped, checked."""

from __future__ import annotations

import asyncio
import subprocess
import time
from bisect import bisect_left
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from benchmarks.race import outputs, progress
from benchmarks.race.broker import admin, committed, drop, make
from benchmarks.race.candidates import Candidate, Race
from benchmarks.race.cores import Cores
from benchmarks.race.load import Load

SAMPLE_S: Final = 0.05
ASK_EVERY: Final = 10
STALLED_S: Final = 60.0


class RunFailed(Exception):
    """The candidate did not do its work."""


@dataclass(frozen=True)
class Terms:
    """`warm` records are not measured; then `seconds` are, if the input lasts so long."""

    warm: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """records/s, CPU µs a record over the same span, the largest memory in MiB."""

    rate: float
    cpu_us: float
    rss_mib: float


@dataclass(frozen=True, order=True)
class Sample:
    at: float
    cpu_s: float
    rss: int


async def measure(candidate: Candidate, race: Race, load: Load, terms: Terms, cores: Cores) -> Measured:
    """Raises RunFailed, or WrongResult where the outputs are not those of the input that was dealt with."""
    race = replace(race, guarantee=candidate.guarantee)
    await make(race.servers, [race.output, f"{race.group}-changelog"])
    try:
        race.state.mkdir(parents=True)
        log = race.state.with_suffix(".log")
        with cores.other():
            process = candidate.start(race, log)
        try:
            samples, stopped = await _watched(process, race, load, terms, log)
            status = await asyncio.to_thread(candidate.stop, process)
        finally:
            process.kill()
            process.wait()
        if status:
            raise RunFailed(f"{candidate.name} ended with {status}: {_tail(log)}")
        return await _judged(candidate, race, load, terms, samples, stopped)
    finally:
        await drop(race.servers, race.group)


async def _watched(
    process: subprocess.Popen[bytes], race: Race, load: Load, terms: Terms, log: Path
) -> tuple[list[Sample], float]:
    """CPU and memory until enough is done; and when that was."""
    samples: list[Sample] = []
    watched = psutil.Process(process.pid)
    done, moved, warm_at = 0, time.time(), None
    async with admin(race.servers) as client:
        while True:
            await asyncio.sleep(SAMPLE_S)
            now = time.time()
            if process.poll() is not None:
                raise RunFailed(f"it ended with {process.returncode}: {_tail(log)}")
            times = watched.cpu_times()
            samples.append(Sample(now, times.user + times.system, watched.memory_info().rss))
            if len(samples) % ASK_EVERY:
                continue
            before, done = done, sum((await committed(client, race.group, race.input)).values())
            moved = now if done > before else moved
            if now - moved > STALLED_S:
                raise RunFailed(f"nothing was committed for {STALLED_S:.0f} s: {_tail(log)}")
            if warm_at is None and done >= terms.warm:
                warm_at = now
            if done >= load.records or (warm_at is not None and now - warm_at >= terms.seconds + 1):
                return samples, now


async def _judged(
    candidate: Candidate, race: Race, load: Load, terms: Terms, samples: list[Sample], stopped: float
) -> Measured:
    async with admin(race.servers) as client:
        offsets = await committed(client, race.group, race.input)
    found = await outputs.results(race.servers, race.output, race.shape, json=candidate.json)
    outputs.check(found, load.expected(race.shape, offsets), every_update=candidate.every_update)
    commits = await progress.commits(race.servers, race.group, race.input)
    measured = progress.span(commits, terms.warm, stopped, load.records)
    if measured is None:
        made = ", ".join(f"{point.records} at {point.at - samples[0].at:.1f} s" for point in progress.progress(commits))
        raise RunFailed(f"too few commits to measure between ({made}): more --records, or fewer --warm")
    cpu = _cpu(samples, measured.end.at) - _cpu(samples, measured.begin.at)
    rss = max(sample.rss for sample in samples) / 2**20
    return Measured(measured.rate, cpu / measured.records * 1e6, rss)


def _cpu(samples: list[Sample], at: float) -> float:
    """CPU seconds spent by then, between two samples in proportion."""
    after = min(max(bisect_left(samples, Sample(at, 0.0, 0)), 1), len(samples) - 1)
    a, b = samples[after - 1], samples[after]
    share = (at - a.at) / (b.at - a.at)
    return a.cpu_s + share * (b.cpu_s - a.cpu_s)


def _tail(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-3000:]
