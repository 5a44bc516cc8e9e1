"""One candidate over one input: started, watched, stopped, checked."""

from __future__ import annotations

import asyncio
import subprocess
import time
from bisect import bisect_left
from collections.abc import Sequence
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
    """`warm` records are not measured, more or fewer by what the candidate needs; then `seconds` are, if the input is
    long enough."""

    warm: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """records/s, CPU µs a record over the same span, the largest memory in MiB; and the share of the span in which the
    core was another's: where it is more than some per cent, the machine was not quiet."""

    rate: float
    cpu_us: float
    rss_mib: float
    others: float


@dataclass(frozen=True)
class Sample:
    """`busy_s`: of the core, `cpu_s`: of the candidate."""

    at: float
    cpu_s: float
    busy_s: float
    rss: int


async def measure(candidate: Candidate, race: Race, load: Load, terms: Terms, cores: Cores) -> Measured:
    """Raises RunFailed, or WrongResult where the outputs are not those of the input that was dealt with."""
    race = replace(race, guarantee=candidate.guarantee)
    terms = replace(terms, warm=int(terms.warm * candidate.warm))
    await make(race.servers, [race.output, f"{race.group}-changelog"])
    try:
        race.state.mkdir(parents=True)
        log = race.state.with_suffix(".log")
        with cores.other():
            process = candidate.start(race, log)
        try:
            samples, stopped = await _watched(process, race, load, terms, cores)
            status = await asyncio.to_thread(candidate.stop, process)
        finally:
            process.kill()
            process.wait()
        if status:
            raise RunFailed(f"{candidate.name} ended with {status}: {_tail(log)}")
        with cores.other():  # nobody runs there by now, and reading is quicker beside the broker than in turns with it
            return await _judged(candidate, race, load, terms, samples, stopped)
    finally:
        await drop(race.servers, race.group)


async def _watched(
    process: subprocess.Popen[bytes], race: Race, load: Load, terms: Terms, cores: Cores
) -> tuple[list[Sample], float]:
    """CPU and memory until enough is done; and when that was."""
    log = race.state.with_suffix(".log")
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
            samples.append(Sample(now, times.user + times.system, cores.busy(), watched.memory_info().rss))
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
    begin, end = at(samples, measured.begin.at), at(samples, measured.end.at)
    cpu, busy = end.cpu_s - begin.cpu_s, end.busy_s - begin.busy_s
    rss = max(sample.rss for sample in samples) / 2**20
    return Measured(measured.rate, cpu / measured.records * 1e6, rss, max(0.0, busy - cpu) / (end.at - begin.at))


def at(samples: Sequence[Sample], moment: float) -> Sample:
    """What was spent by then, between two samples in proportion."""
    after = min(max(bisect_left(samples, moment, key=lambda sample: sample.at), 1), len(samples) - 1)
    a, b = samples[after - 1], samples[after]
    share = (moment - a.at) / (b.at - a.at)
    return Sample(moment, a.cpu_s + share * (b.cpu_s - a.cpu_s), a.busy_s + share * (b.busy_s - a.busy_s), b.rss)


def _tail(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-3000:]
