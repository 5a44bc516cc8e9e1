"""Ends, stops and moves instances of the service while an oracle recomputes all they write.

python -m tests.faults.exactly_once --kills 200 --terms 100 --zombies 20 --brokers 20 --rebalances 30
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.loop import run
from tests.brokers import BrokerUnderTest
from tests.faults.evidence import INTERRUPTED, Evidence, end_as_by_ctrl_c, evidence, peak_memory_mb
from tests.faults.exactly_once.deliberate import CASES
from tests.faults.exactly_once.findings import summary
from tests.faults.exactly_once.instances import SESSION_S
from tests.faults.exactly_once.proving import Prover, table
from tests.faults.exactly_once.schedule import Kind, plan, rounds
from tests.faults.exactly_once.trial import Outcome, Terms, attempt, clear

LARGEST_ROUND = 30
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


class Account:
    """What has been played and found, over all rounds."""

    def __init__(self, soak: Soak) -> None:
        self.outcomes: list[Outcome] = []
        self._soak = soak
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def __str__(self) -> str:
        played = Counter(fault.kind for outcome in self.outcomes for fault in outcome.terms.faults)
        wanted = {kind: f"/{count}" if self._soak.minutes is None else "" for kind, count in self._soak.counts.items()}
        counts = ", ".join(f"{kind.value} {played[kind]}{of}" for kind, of in wanted.items())
        findings = [finding for outcome in self.outcomes for finding in outcome.findings]
        verdicts = [outcome.verdict for outcome in self.outcomes if outcome.verdict is not None]
        problems = sum(len(outcome.problems) for outcome in self.outcomes)
        told = f" and {problems} problems" if problems else ""
        if stuck := len(self.outcomes) - len(verdicts):
            told += f"; {stuck} rounds STUCK, not judged"
        compared = f"{sum(verdict.compared for verdict in verdicts)} outputs compared"
        return f"{sum(played.values())} faults ({counts}): {summary(findings)}{told} ({compared})"


async def play(soak: Soak, account: Account, broker: BrokerUnderTest, kept: Evidence) -> None:
    """Of rounds that passed nothing is left but what the account says."""
    for number, terms in enumerate(soak.terms(), start=1):
        if soak.minutes is not None and account.seconds > soak.minutes * 60:
            break
        place = kept.folder / f"round-{number}"
        outcome = await attempt(broker.address, place, terms, broker)
        account.outcomes.append(outcome)
        if outcome.passed:
            await clear(broker.address, outcome.names)
            shutil.rmtree(place)
        else:
            kept.kept = True
        print(f"round {number} (seed {terms.seed}, {_settings(terms)}): {outcome}")
        print(f"{account.seconds:.0f} s, {peak_memory_mb()} MB: {account}", flush=True)


def _settings(terms: Terms) -> str:
    membership = "static" if terms.static else "dynamic"
    state = f"state in {'directories of their own' if terms.own_state else 'one directory'}"
    state = state if terms.on_disk else "state in memory"
    return f"commits every {terms.commit_ms} ms, {terms.standbys} standbys, {membership} members, {state}"


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
    end_as_by_ctrl_c()
    with evidence(arguments.keep) as kept, BrokerUnderTest(kept.folder / "broker", heap_mb=512) as broker:
        if arguments.prove is not None:
            passed = prove(broker, kept, arguments.prove or CASES)
        else:
            passed = survive(what, broker, kept)
    return 0 if passed else 1


def prove(broker: BrokerUnderTest, kept: Evidence, names: Collection[str]) -> bool:
    proofs = run(Prover(broker.address, kept).prove(names))
    passed = all(proof.holds for proof in proofs)
    print(table(proofs), "passed" if passed else "failed", sep="\n", flush=True)
    return passed


def survive(soak: Soak, broker: BrokerUnderTest, kept: Evidence) -> bool:
    """Says what it came to, also when it is interrupted."""
    print(f"seed {soak.seed}", flush=True)
    account = Account(soak)
    try:
        run(play(soak, account, broker, kept))
    finally:
        print(f"{account.seconds:.0f} s, {len(account.outcomes)} rounds, {account}", flush=True)
    passed = bool(account.outcomes) and all(outcome.passed for outcome in account.outcomes)
    print("passed" if passed else f"failed; replay with --seed {soak.seed}", flush=True)
    return passed


def chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    said = {name: getattr(arguments, name) for name in ("standbys", "commit_ms", *CHOICES)}
    truths = {name: value == CHOICES[name][0] for name, value in said.items() if name in CHOICES and value is not None}
    return {name: value for name, value in said.items() if value is not None} | truths


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(INTERRUPTED)
