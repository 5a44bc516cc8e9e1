"""What goes wrong, when and to whom: the same seed gives the same plan."""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

INSTANCES = 3
EXTRAS = 2


class Kind(enum.Enum):
    KILL = "kill -9"
    TERM = "SIGTERM"
    ZOMBIE = "SIGSTOP beyond the session"
    BROKER = "kill -9 of the broker"
    REBALANCE = "rebalance"
    """An instance beyond the usual ones joins, or leaves if it is there."""
    CRASH = "crash at a step"
    """Of a transaction, in the next life of the instance; then it is started again, unless it is impatient: then the
    next fault, or the end of the plan, starts it."""
    FREEZE = "stop at a step"
    """The same, and it wakes beyond its session."""


@dataclass(frozen=True)
class Fault:
    """after: seconds since the one before was over. lasts: seconds until it is undone. patient: comes only when
    something has been committed since the one before; else into whatever that left behind. injection: of the step.
    settles: of a rebalance: it is over when the group has come to rest with other members, and so has taken place."""

    kind: Kind
    instance: int
    after: float
    lasts: float
    patient: bool
    injection: str | None = None
    settles: bool = False


def plan(seed: int, counts: Mapping[Kind, int], session_s: float) -> tuple[Fault, ...]:
    chance = random.Random(seed)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    chance.shuffle(kinds)
    if set(kinds) == {Kind.REBALANCE}:
        return tuple(_next_rebalance(chance) for _ in kinds)
    return tuple(_fault(kind, chance, session_s) for kind in kinds)


def _next_rebalance(chance: random.Random) -> Fault:
    """As many in a minute as the group can bear, none of them passed over."""
    extra = INSTANCES + chance.randrange(EXTRAS)
    return Fault(Kind.REBALANCE, extra, chance.uniform(0.0, 0.4), 0.0, patient=False, settles=True)


def _fault(kind: Kind, chance: random.Random, session_s: float) -> Fault:
    instance = chance.randrange(INSTANCES)
    if kind is Kind.REBALANCE:
        return Fault(kind, INSTANCES + chance.randrange(EXTRAS), chance.uniform(1.0, 2.5), 0.0, patient=False)
    if kind is Kind.ZOMBIE:
        return Fault(kind, instance, chance.uniform(0.0, 1.0), session_s + chance.uniform(1.0, 4.0), patient=True)
    if kind is Kind.BROKER:
        return Fault(kind, instance, chance.uniform(0.0, 1.0), 0.0, patient=True)
    lasts = chance.choice((0.0, chance.uniform(0.0, 1.0)))
    return Fault(kind, instance, chance.uniform(0.0, 0.8), lasts, patient=chance.random() < 0.8)


def rounds(
    seed: int, counts: Mapping[Kind, int], largest: int, *, mixed: bool
) -> Iterator[tuple[int, dict[Kind, int]]]:
    """Seed and faults of each round: none has more than `largest`; of one kind each unless they are mixed."""
    chance = random.Random(seed)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    if mixed:
        chance.shuffle(kinds)
    groups: list[Sequence[Kind]] = []
    for kind in [None] if mixed else list(Kind):
        waiting = iter([each for each in kinds if kind is None or each is kind])
        while part := list(islice(waiting, largest)):
            groups.append(part)
    for group in groups:
        yield chance.randrange(2**32), {kind: group.count(kind) for kind in Kind if kind in group}
