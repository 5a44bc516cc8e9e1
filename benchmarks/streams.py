"""The stream engine on a real Kafka, beside Java's Kafka Streams, Quix Streams and aiokafka by hand, in the same run.

    scripts/bench streams                          ours, Java, Quix over three topologies, median of 5 rounds
    scripts/bench streams --quick                  one round
    scripts/bench streams --keys 1000000           over a million keys
    scripts/bench streams --candidates ours,java --shapes count --rounds 3

Input: JSON values of 100 bytes in 4 partitions, written beforehand, event time a millisecond a record. Topologies:
stateless (filter and map_values), count (a table with its changelog), window (tumbling, ten seconds, with changelog).
Commit interval one second, one thread, the broker alone on one core, the candidate on another. The first candidate's
first runs are the broker's warm-up and do not count; then the candidates take turns, in each round another one first.

A record counts when its offset is committed, by when its outputs and changelog rows are acknowledged. Measured is from
the first commit behind the warm-up (--warm records, twice as many for Java with its compiler, a fifth for Quix Streams)
to the last one before the end of the work, by the broker's own log of the commits: whole commit intervals of a steady
run, the same for all. CPU is that of the candidate's process in the same span. After every run all outputs are read
back and compared with the input that was committed: their number and the last value of each key. Who is wrong, or
fails, is told and runs no more.

"java" runs with its record cache off, so that it sends and logs every update, as all others send; "java-cache" has its
default of 10 MiB, which sends and logs the last update of a key within a second: with few keys much less work.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from app.settings.folders import user_folder
from benchmarks.race import candidates, command
from benchmarks.race.broker import broker
from benchmarks.race.candidates import Candidate, NoCandidate, Race
from benchmarks.race.command import Estimate, names_of
from benchmarks.race.cores import Cores
from benchmarks.race.load import Load, produce
from benchmarks.race.run import Measured, RunFailed, Terms, measure
from tests.java import KAFKA, NoJavaError, compiled

SHAPES: Final = ("stateless", "count", "window")
NAMES: Final = ("ours", "ours-eos", "java", "java-eos", "java-cache", "quix", "quix-eos", "hand", "hand-eos")
DEFAULT: Final = ("ours", "ours-eos", "java", "quix")
# Of a run, beside the span that is measured: start, warm-up, end, reading the outputs back.
AROUND_S: Final = 10.0

Table = dict[str, dict[str, list[Measured]]]


def collected(names: Sequence[str], quix: Path | None, stack: ExitStack) -> list[Candidate]:
    """Those of these names that can be had; of the others it is said why."""
    found: list[Candidate] = []
    program = None
    for name in names:
        kind, _, option = name.partition("-")
        guarantee: candidates.Guarantee = "exactly_once_v2" if option == "eos" else "at_least_once"
        try:
            if kind == "ours":
                found.append(candidates.ours(guarantee))
            elif kind == "hand":
                found.append(candidates.by_hand(guarantee))
            elif kind == "quix":
                home = quix or user_folder("cache", os.environ, sys.platform) / "bench" / "quix"
                found.append(candidates.quix(home, guarantee))
            else:
                if program is None:
                    sources = Path(__file__).with_name("race") / "java"
                    program = stack.enter_context(compiled(sources, f"org.apache.kafka:kafka-streams:{KAFKA}"))
                found.append(candidates.java(program, guarantee, cache=option == "cache"))
        except (NoCandidate, NoJavaError) as missing:
            print(f"{name} is not measured: {missing}", flush=True)
    return found


@dataclass(frozen=True)
class Track:
    """What all runs have in common."""

    servers: str
    folder: Path
    load: Load
    terms: Terms
    cores: Cores

    async def run(self, candidate: Candidate, shape: str) -> Measured:
        group = f"race-{uuid.uuid4().hex[:8]}"
        folder = self.folder / group
        told = Race(self.servers, group, shape, self.load.topic, f"{group}-output", folder, candidate.guarantee)
        return await measure(candidate, told, self.load, self.terms, self.cores)


async def race(options: argparse.Namespace, table: Table, stack: ExitStack, folder: Path, cores: Cores) -> None:
    """Fills the table. Raises RunFailed at the end when a candidate did not get there."""
    racing = collected(options.candidates, options.quix, stack)
    if not racing:
        raise RunFailed("none of the candidates is to be had")
    async with broker(folder) as servers:
        began = time.perf_counter()
        load = await produce(servers, "race-input", options.records, options.keys)
        print(f"input: {load.records:,} records, {load.keys:,} keys, {time.perf_counter() - began:.0f} s", flush=True)
        track = Track(servers, folder, load, Terms(options.warm, options.seconds), cores)
        runs = len(options.shapes) * (1 + options.rounds * len(racing))
        estimate = Estimate(runs, options.seconds + AROUND_S)
        for shape in options.shapes:
            say("broker warms up", shape, racing[0], await track.run(racing[0], shape), estimate)
        failed: list[str] = []
        for number in range(options.rounds):
            for shape in options.shapes:
                for candidate in rotated(racing, number):
                    try:
                        measured = await track.run(candidate, shape)
                    except command.FAILURES as failure:
                        command.say_failed(failure)
                        racing.remove(candidate)
                        failed.append(f"{candidate.name} in {shape}")
                        continue
                    table[shape][candidate.name].append(measured)
                    say(f"round {number + 1}", shape, candidate, measured, estimate)
        if failed:
            raise RunFailed(f"not to the end: {', '.join(failed)}")


def rotated(racing: Sequence[Candidate], by: int) -> list[Candidate]:
    by %= max(1, len(racing))
    return [*racing[by:], *racing[:by]]


def say(label: str, shape: str, candidate: Candidate, measured: Measured, estimate: Estimate) -> None:
    print(
        f"{label:15} {shape:10} {candidate.name:22} {measured.rate / 1000:7.1f} k/s "
        f"{measured.cpu_us:6.2f} us CPU, others {measured.others:4.0%} {measured.rss_mib:6.0f} MiB   {estimate.step()}",
        flush=True,
    )


def show(table: Table) -> None:
    """Medians. "a core" is what the CPU time alone would allow, whatever else the machine did meanwhile; "others" how
    much of the core that was, at most; ratios are to Java with the same guarantee and to Quix; then what exactly once
    costs beside the same without."""
    for shape, rows in table.items():
        rates = {name: median(each.rate for each in measured) for name, measured in rows.items()}
        columns = f"{'records/s':>10} {'range':>15} {'CPU us':>7} {'a core':>8} {'others':>7} {'MiB':>5}"
        print(f"\n{shape:32} {columns} {'x java':>7} {'x quix':>7}")
        for name, measured in rows.items():
            each = sorted(m.rate / 1000 for m in measured)
            cpu, memory = median(m.cpu_us for m in measured), median(m.rss_mib for m in measured)
            eos = ", exactly once" if name.endswith(", exactly once") else ""
            ratios = "".join(
                f"{rates[name] / rates[peer]:8.2f}" if peer in rates else f"{'':8}" for peer in ("java" + eos, "quix")
            )
            print(
                f"  {name:30} {rates[name] / 1000:8.1f} k {f'{each[0]:.0f}-{each[-1]:.0f} k':>15} "
                f"{cpu:7.2f} {1000 / cpu:6.0f} k {max(m.others for m in measured):7.0%} {memory:5.0f}{ratios}"
            )
        for name, rate in rates.items():
            if (plain := name.removesuffix(", exactly once")) != name and plain in rates:
                more = median(m.cpu_us for m in rows[name]) / median(m.cpu_us for m in rows[plain]) - 1
                print(f"  exactly once costs {plain}: {1 - rate / rates[plain]:.1%} of records/s, {more:+.1%} CPU")


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    table: Table = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        status = command.run(partial(race, options, table, stack))
    show(table)
    return status


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command.parser("streams", __doc__)
    parser.add_argument("--candidates", type=names_of(NAMES), default=DEFAULT, help=f"of {','.join(NAMES)}")
    parser.add_argument("--shapes", type=names_of(SHAPES), default=SHAPES, help=f"of {','.join(SHAPES)}")
    parser.add_argument("--rounds", type=int, help="5 unless told otherwise")
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--records", type=int, default=4_000_000, help="input; a run need not reach its end")
    parser.add_argument("--warm", type=int, default=300_000, help="records before the measured span")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the measured span")
    parser.add_argument("--quix", type=Path, metavar="FOLDER", help="keep Quix Streams' environment there")
    parser.add_argument("--quick", action="store_true", help="--rounds 1, unless they are given")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
