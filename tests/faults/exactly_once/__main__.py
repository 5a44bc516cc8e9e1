"""Ends, stops and moves instances of the service while an oracle recomputes all they write.

python -m tests.faults.exactly_once --kills 200 --terms 100 --zombies 20 --brokers 20 --rebalances 30
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.loop import run
from tests.brokers import BrokerUnderTest
from tests.faults.exactly_once.deliberate import CASES, Scenario
from tests.faults.exactly_once.findings import Finding, summary
from tests.faults.exactly_once.instances import SESSION_S
from tests.faults.exactly_once.schedule import Kind, plan, rounds
from tests.faults.exactly_once.trial import Outcome, Terms, attempt
from tests.faults.lives import scratch

LARGEST_ROUND = 25
"""Faults between two judgements."""

CHOICES = {"on_disk": ("disk", "memory"), "own_state": ("own", "shared"), "static": ("static", "dynamic")}
"""Options that a round draws unless they are said: true, false."""

OPTIONS = {"on_disk": "store", "own_state": "state", "static": "membership"}

NAMES = {
    "kills": Kind.KILL,
    "terms": Kind.TERM,
    "zombies": Kind.ZOMBIE,
    "brokers": Kind.BROKER,
    "rebalances": Kind.REBALANCE,
}


@dataclass(frozen=True)
class Soak:
    """minutes None: until every fault has been played; else over and over, with other seeds, until they are over."""

    seed: int
    counts: dict[Kind, int]
    mixed: bool
    minutes: float | None
    exactly_once: bool
    rate: int
    chosen: dict[str, Any]
    """Of the terms that a round's seed would choose: those that are the same in every round."""

    def terms(self) -> Iterator[Terms]:
        chance = random.Random(self.seed)
        while True:
            for seed, counts in rounds(chance.randrange(2**32), self.counts, LARGEST_ROUND, mixed=self.mixed):
                variant = random.Random(seed)
                drawn: dict[str, Any] = {
                    "commit_ms": variant.choice((50, 150, 500)),
                    "standbys": variant.choice((0, 0, 1)),
                    "own_state": variant.random() < 0.7,
                    "static": variant.random() < 0.6,
                    "on_disk": variant.random() < 0.85,
                }
                yield Terms(
                    seed,
                    plan(seed, counts, SESSION_S),
                    rate=self.rate,
                    exactly_once=self.exactly_once,
                    **(drawn | self.chosen),
                )
            if self.minutes is None:
                return


async def prove(server: str, folder: Path, names: Collection[str]) -> list[str]:
    """These deliberate faults are caught, and their scenarios without them come out exact. What does not hold."""
    wrong: list[str] = []
    controlled: list[Scenario] = []
    for name in names:
        scenario = CASES[name]
        if scenario not in controlled:
            control = await attempt(server, folder / f"without-{name}", scenario.terms())
            controlled.append(scenario)
            print(f"{name}, without the fault: {control}", flush=True)
            if not control.passed:
                wrong.append(f"the scenario of {name} is not exact without it")
        outcome = await attempt(server, folder / name, scenario.terms(name))
        # By the oracle: an instance that breaks down under its fault shows nothing.
        caught = bool(outcome.findings)
        print(f"{name}: {'caught' if caught else 'NOT CAUGHT'}: {outcome}"[:1_500], flush=True)
        if not caught:
            wrong.append(f"{name} is not caught")
    print(f"{len(names)} deliberate faults: {len(names) - len(wrong)} as expected")
    return wrong


async def soak(soak: Soak, broker: BrokerUnderTest, folder: Path) -> list[Outcome]:
    outcomes: list[Outcome] = []
    began = time.monotonic()
    for number, terms in enumerate(soak.terms(), start=1):
        if soak.minutes is not None and time.monotonic() - began > soak.minutes * 60:
            break
        outcome = await attempt(broker.address, folder / f"round-{number}", terms, broker)
        outcomes.append(outcome)
        membership = "static" if terms.static else "dynamic"
        state = f"state in {'directories of their own' if terms.own_state else 'one directory'}"
        state = state if terms.on_disk else "state in memory"
        settings = f"commits every {terms.commit_ms} ms, {terms.standbys} standbys, {membership} members, {state}"
        print(f"round {number} (seed {terms.seed}, {settings}): {outcome}", flush=True)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.exactly_once", description=(__doc__ or "").strip())
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="replays a run")
    for name, kind in NAMES.items():
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N", help=kind.value)
    parser.add_argument("--mixed", action="store_true", help="faults of all kinds in one round")
    parser.add_argument("--minutes", type=float, help="again and again for so long; the round under way is finished")
    parser.add_argument("--guarantee", choices=("exactly_once_v2", "at_least_once"), default="exactly_once_v2")
    parser.add_argument("--rate", type=int, default=300, help="records a second of each input (default: 300)")
    parser.add_argument("--standbys", type=int, help="copies of each task; each round draws its own otherwise")
    parser.add_argument("--commit-ms", type=int, help="likewise, the commit interval")
    for name, (yes, no) in CHOICES.items():
        parser.add_argument(f"--{OPTIONS[name]}", dest=name, choices=(yes, no), help="likewise")
    parser.add_argument(
        "--prove",
        nargs="*",
        choices=CASES,
        metavar="FAULT",
        help="that deliberate faults are caught; all of them, or these",
    )
    parser.add_argument("--keep", type=Path, help="folder for logs and state, which is not removed")
    arguments = parser.parse_args()
    counts = {kind: getattr(arguments, name) for name, kind in NAMES.items() if getattr(arguments, name)}
    what = Soak(
        arguments.seed,
        counts or {Kind.KILL: 10, Kind.TERM: 5, Kind.ZOMBIE: 2, Kind.BROKER: 2, Kind.REBALANCE: 10},
        arguments.mixed,
        arguments.minutes,
        arguments.guarantee == "exactly_once_v2",
        arguments.rate,
        chosen(arguments),
    )
    # While the broker is away the clients here say so many times a second; instances keep logs of their own.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    print(f"seed {what.seed}", flush=True)
    with scratch() as name:
        folder = arguments.keep or Path(name)
        with BrokerUnderTest(folder / "broker", heap_mb=512) as broker:
            if arguments.prove is not None:
                wrong = run(prove(broker.address, folder, arguments.prove or CASES))
                print("\n".join(wrong) or "passed")
                return bool(wrong)
            outcomes = run(soak(what, broker, folder))
    return conclude(what, outcomes)


def chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    said = {name: getattr(arguments, name) for name in ("standbys", "commit_ms", *CHOICES)}
    truths = {name: value == CHOICES[name][0] for name, value in said.items() if name in CHOICES and value is not None}
    return {name: value for name, value in said.items() if value is not None} | truths


def conclude(what: Soak, outcomes: list[Outcome]) -> int:
    findings: list[Finding] = [finding for outcome in outcomes for finding in outcome.findings]
    faults = sum(len(outcome.terms.faults) for outcome in outcomes)
    compared = sum(outcome.verdict.compared for outcome in outcomes if outcome.verdict is not None)
    problems = sum(len(outcome.problems) for outcome in outcomes)
    told = f" and {problems} problems" if problems else ""
    passed = all(outcome.passed for outcome in outcomes)
    stuck = sum(outcome.verdict is None for outcome in outcomes)
    told += f"; {stuck} rounds STUCK, not judged" if stuck else ""
    print(f"{faults} faults: {summary(findings)}{told} ({compared} outputs compared)")
    if not passed:
        print(f"failed; replay with --seed {what.seed}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
