"""For each deliberate fault the scenario that shows it: `python -m tests.faults.exactly_once --prove`.

The same scenario without the fault is the control: it must come out exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.faults.exactly_once.instances import SESSION_S, SOUND
from tests.faults.exactly_once.schedule import INSTANCES, Fault, Kind
from tests.faults.exactly_once.topology import GRACE_MS, WINDOW_MS
from tests.faults.exactly_once.trial import Terms

PASSING: Final = 8
"""Crashes and stops come at this passing of their step: by then there is state, and something is under way."""


@dataclass(frozen=True)
class Scenario:
    """plan, injections, settings: see Terms."""

    faults: tuple[Fault, ...] = ()
    injections: tuple[str, ...] = ()
    instances: int = 1
    lasts: float = 0.0
    more: Mapping[str, str] = field(default_factory=dict)

    def terms(self, fault: str = SOUND, seed: int = 1) -> Terms:
        return Terms(
            seed,
            self.faults,
            instances=self.instances,
            lasts=self.lasts,
            fault=fault,
            injections=self.injections,
            more={"APP_STREAMS__TRANSACTION_TIMEOUT_MS": "30000", **self.more},
        )


def _crash(step: str, times: int = 1) -> Scenario:
    crash = Fault(Kind.CRASH, 0, 0.5, 0.0, patient=True, injection=f"crash:{step}:{PASSING}")
    return Scenario((crash,) * times)


def _freeze(step: str) -> Scenario:
    """Long enough for another instance to take over before it wakes."""
    freeze = Fault(Kind.FREEZE, 0, 0.5, SESSION_S + 3, patient=True, injection=f"stop:{step}:{PASSING}")
    return Scenario((freeze,), instances=2, lasts=2.0)


def _again(injection: str) -> Scenario:
    return Scenario(injections=(injection,), lasts=6.0)


def _rebalances(times: int, injections: tuple[str, ...] = ()) -> Scenario:
    """Far enough apart for tasks to move: only when their copies are warm."""
    coming = Fault(Kind.REBALANCE, INSTANCES, 6.0, 0.0, patient=True)
    return Scenario((coming,) * times, injections, instances=2)


RESTART: Final = Scenario((Fault(Kind.TERM, 0, (WINDOW_MS + GRACE_MS) / 1000 + 5, 0.0, patient=True),))
"""When the first windows are closed and their results are out."""

CALM: Final = Scenario(lasts=2.0)
"""Nothing happens to anybody."""

CASES: Final[Mapping[str, Scenario]] = {
    "offsets-before-outputs": _crash("CONFIRMED"),
    "offsets-after-outputs": _crash("END_ANSWERED"),
    "apply-before-commit": _crash("CONFIRMED"),
    "nobody-fenced": _freeze("CONFIRMED"),
    "unstable-offsets": _freeze("OFFSETS_HELD"),
    "restore-before-fence": _freeze("OFFSETS_HELD"),
    "failed-batch-ignored": _again("fail:SENT:150"),
    "producer-used-again": _again("cut:OFFSETS_HELD:7"),
    "unknown-outcome-taken-for-abort": _again("cut:END_SENT:7"),
    "tasks-kept-after-abort": _again("cut:CONFIRMED:7"),
    "old-epoch-kept": _rebalances(2),
    "position-too-far": _crash("END_ANSWERED"),
    "kept-tasks-from-old-offsets": _rebalances(2),
    "nothing-restored": _crash("END_ANSWERED"),
    "newest-generation": _rebalances(2, ("delay:OFFSETS_HELD:13",)),
    "rebalance-not-awaited": _rebalances(2),
    "uncommitted-read": _crash("CONFIRMED", times=2),
    "uncommitted-restored": _crash("CONFIRMED", times=2),
    "metadata-dropped": RESTART,
    "headers-dropped": CALM,
    "deletions-not-logged": CALM,
}
