"""What a diagnosis found, as data."""

from dataclasses import dataclass
from typing import Literal

from app.errors import ExitCode
from app.kafka.faults import Fault, Step

Outcome = Literal["passed", "failed", "remarked"]


@dataclass(frozen=True, slots=True)
class Result:
    """One step. `remarked`: worth reading, and no reason to fail."""

    step: Step
    about: str
    """The server, topic or group."""
    outcome: Outcome
    seen: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Report:
    servers: tuple[str, ...]
    results: tuple[Result, ...]
    """In the order of the steps; nothing after a step without which there is no next one."""

    @property
    def failures(self) -> tuple[Fault, ...]:
        return tuple(result.fault for result in self.results if result.outcome == "failed" and result.fault)

    @property
    def code(self) -> ExitCode:
        """That of the first failure: later ones may follow from it."""
        return self.failures[0].code if self.failures else ExitCode.OK


def passed(step: Step, about: str, seen: str) -> Result:
    return Result(step, about, "passed", seen)


def failed(about: str, fault: Fault) -> Result:
    return Result(fault.step, about, "failed", fault.line, fault)


def remarked(step: Step, about: str, seen: str) -> Result:
    return Result(step, about, "remarked", seen)
