"""The stream engine by itself on one core: no broker, 100-byte JSON values, a commit every 10,000 records.

    scripts/bench core                     all scenarios over 1,000 and 1,000,000 keys, the curve, the memory
    scripts/bench core --quick             fewer records, at most 100,000 keys
    scripts/bench core --profile tumbling  where the time of one scenario goes
    scripts/bench core count tumbling      these scenarios only
    scripts/bench core --rare-gc           as a process should run it: gc.set_threshold(100_000, 50, 1_000)

CPU time, not the clock's: the machine may have other work. Each figure stands beside its ratio to a bare loop that
decodes and encodes the same values in the same seconds and does nothing else. Every record that comes out is checked
against a model; a wrong one ends the run.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.engine.runs import Costs, Run, WrongResult, dictionary
from benchmarks.engine.scenarios import SCENARIOS

STATEFUL = ("count", "tumbling", "stream-stream", "table-table")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is run."""

    keys: tuple[int, ...]
    curve: tuple[int, ...]
    rounds: int
    records: int
    memory_keys: int


FULL = Sizes((1_000, 1_000_000), (1_000, 10_000, 100_000, 1_000_000), 5, 100_000, 100_000)
QUICK = Sizes((1_000, 100_000), (1_000, 10_000, 100_000), 3, 30_000, 10_000)


class Measured:
    """What was measured, so that no table does it again."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._known: dict[tuple[str, int, bool], Costs] = {}

    def costs(self, name: str, keys: int, *, every_put: bool = False) -> Costs:
        """The median round of a scenario whose stores hold all keys already."""
        which = name, keys, every_put
        if which not in self._known:
            self._known[which] = self._measure(Run(SCENARIOS[name], keys, every_put=every_put))
        return self._known[which]

    def _measure(self, run: Run) -> Costs:
        if run.task.stores:
            run.fill()
        gc.collect()
        rounds = [run.round(self.sizes.records) for _ in range(self.sizes.rounds)]
        engine, bare = median(each.engine for each in rounds), median(each.bare for each in rounds)
        return Costs(self.sizes.records, engine, bare)


def table(names: Sequence[str], measured: Measured) -> None:
    print(f"\n{'scenario':28} {'keys':>9} {'records/s':>10} {'us/record':>10} {'x bare':>7} {'aim':>8}")
    for keys in measured.sizes.keys:
        for name in names:
            show(SCENARIOS[name].title, keys, measured.costs(name, keys), SCENARIOS[name].aim)
    if "count" in names:
        keys = measured.sizes.keys[0]
        show("count, every put logged", keys, measured.costs("count", keys, every_put=True), 0)


def show(title: str, keys: int, costs: Costs, aim: int) -> None:
    rate = costs.records / costs.engine
    verdict = "" if not aim else f"{aim // 1000:6} k {'met' if rate >= aim else 'missed'}"
    print(
        f"{title:28} {keys:>9,} {rate / 1000:>8.0f} k {costs.engine / costs.records * 1e6:>10.2f} "
        f"{costs.engine / costs.bare:>7.1f} {verdict}",
        flush=True,
    )


def curve(names: Sequence[str], measured: Measured) -> None:
    """The last row is what memory alone costs: a dictionary of that many rows, each read and later replaced."""
    print("\nus per record, by the number of keys stored (x bare)")
    print(f"{'':28}" + "".join(f"{keys:>16,}" for keys in measured.sizes.curve))
    for name in names:
        print(f"{SCENARIOS[name].title:28}", end="", flush=True)
        for keys in measured.sizes.curve:
            costs = measured.costs(name, keys)
            print(f"{costs.engine / costs.records * 1e6:>9.2f} ({costs.engine / costs.bare:4.1f})", end="", flush=True)
        print()
    print(f"{'a bare dictionary':28}", end="")
    for keys in measured.sizes.curve:
        print(f"{dictionary(keys, measured.sizes.records) / measured.sizes.records * 1e6:>9.2f}" + " " * 7, end="")
    print()


def memory(names: Sequence[str], sizes: Sizes) -> None:
    """What stores take of Python's memory, all rows committed."""
    print(f"\nmemory, {sizes.memory_keys:,} keys, all rows committed")
    for name in names:
        run = Run(SCENARIOS[name], sizes.memory_keys)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        run.fill(checked=False)
        # An empty commit drops what the last one left decoded beside its rows.
        run.task.applied(run.task.commit())
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        rows = run.stored()
        print(f"{SCENARIOS[name].title:28} {rows:>9,} rows {(after - before) / rows:>8.0f} bytes a row")


def profile(name: str, sizes: Sizes) -> None:
    run = Run(SCENARIOS[name], sizes.keys[0])
    run.round(20_000)
    profiler = cProfile.Profile()
    run.round(sizes.records, profiler)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(28)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench core", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--quick", action="store_true", help="fewer records, at most 100,000 keys")
    parser.add_argument("--profile", metavar="SCENARIO", choices=SCENARIOS, help="only show where its time goes")
    parser.add_argument("--rare-gc", action="store_true", help="with a garbage collector that seldom looks")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario is called {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    if options.rare_gc:
        # Records, rows and overlays are no garbage, and nearly all there is: walking them finds nothing.
        gc.set_threshold(100_000, 50, 1_000)
    sizes = QUICK if options.quick else FULL
    names = options.scenarios or list(SCENARIOS)
    stateful = [name for name in names if name in STATEFUL]
    try:
        if options.profile is not None:
            profile(options.profile, sizes)
            return 0
        measured = Measured(sizes)
        table(names, measured)
        curve(stateful, measured)
        memory(stateful, sizes)
    except WrongResult as wrong:
        print(f"WRONG RESULT: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
