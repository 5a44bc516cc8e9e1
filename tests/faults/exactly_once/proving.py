"""Every deliberate fault is played until the oracle sees it; its scenario without it comes out exact."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.evidence import Evidence
from tests.faults.exactly_once.deliberate import CASES
from tests.faults.exactly_once.findings import summary
from tests.faults.exactly_once.trial import Outcome, attempt, clear

AT_ONCE: Final = 2
"""A trial mostly waits: for sessions to end, for windows to close."""
TRIALS: Final = 3
"""Some faults need a moment that not every trial has: work in hand when a rebalance comes."""


@dataclass(frozen=True)
class Proof:
    """trials: of the fault, up to the one in which the oracle saw it. control: of the scenario without it."""

    fault: str
    trials: Sequence[Outcome]
    control: Outcome

    @property
    def caught(self) -> bool:
        # By the oracle: an instance that breaks down under its fault shows nothing.
        return bool(self.trials[-1].findings)

    @property
    def holds(self) -> bool:
        return self.caught and self.control.passed

    def row(self) -> str:
        how = f"trial {len(self.trials)}: {summary(self.trials[-1].findings)}" if self.caught else "NOT CAUGHT"
        return f"{self.fault:33}{how:52}{'exact' if self.control.passed else 'NOT EXACT'}"


class Prover:
    def __init__(self, server: str, kept: Evidence) -> None:
        self._server = server
        self._kept = kept
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._began = time.monotonic()

    async def prove(self, names: Collection[str]) -> list[Proof]:
        """Faults of one scenario share their control."""
        ordered = list(names)
        firsts = {name: next(each for each in ordered if CASES[each] == CASES[name]) for name in ordered}
        async with asyncio.TaskGroup() as tasks:
            controls = {name: tasks.create_task(self._control(name)) for name in dict.fromkeys(firsts.values())}
            played = {name: tasks.create_task(self._until_caught(name)) for name in ordered}
        return [Proof(name, played[name].result(), controls[firsts[name]].result()) for name in ordered]

    async def _control(self, name: str) -> Outcome:
        return await self._attempt(name, 0)

    async def _until_caught(self, name: str) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while len(outcomes) < TRIALS and not (outcomes and outcomes[-1].findings):
            outcomes.append(await self._attempt(name, len(outcomes) + 1))
        return outcomes

    async def _attempt(self, name: str, number: int) -> Outcome:
        """number 0: without the fault."""
        folder = self._kept.folder / f"{name}-{number}"
        terms = CASES[name].terms(name, seed=number) if number else CASES[name].terms()
        async with self._turns:
            outcome = await attempt(self._server, folder, terms)
            as_expected = bool(outcome.findings) if number else outcome.passed
            if as_expected:
                await clear(self._server, outcome.names)
                shutil.rmtree(folder)
            else:
                self._kept.kept = True
        what = f"{name}, trial {number}" if number else f"{name}, without the fault"
        came_to = "caught" if outcome.findings else "not caught"
        told = came_to if number else "exact" if outcome.passed else "NOT EXACT"
        figures = str(outcome).partition("\n")[0] if as_expected else str(outcome)[:5_000]
        print(f"{time.monotonic() - self._began:4.0f} s  {what}: {told}: {figures}", flush=True)
        return outcome


def table(proofs: Sequence[Proof]) -> str:
    head = f"{'deliberate fault':33}{'caught by the oracle':52}without it"
    held = sum(proof.holds for proof in proofs)
    return "\n".join([head, *(proof.row() for proof in proofs), f"{held} of {len(proofs)} as expected"])
