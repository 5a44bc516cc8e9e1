"""What is done to an instance from within, at a step of its transactions: it kills or stops itself, loses its
connection, waits or loses a batch. The code under test stays as it is; `sabotage` is what changes it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from aiokafka.errors import KafkaConnectionError

from app.kafka import transactions
from app.kafka.compat import Kip447Producer
from app.kafka.failpoints import Step
from app.streams.task import Task
from tests.faults.exactly_once.sabotage import instead

STOPPED: Final = "stopped itself"
"""Said, on a line of the log, before the process stops."""
CUT: Final = "cut at "
"""How the text of an injected error begins."""


class Applying(Enum):
    """Steps beyond those of the transaction: what was committed enters the stores."""

    BEFORE_APPLY = "nothing is applied yet"
    HALF_APPLIED = "some slices are applied"
    APPLIED = "all is applied, the next transaction not begun"


AnyStep = Step | Applying
STEPS: Final[tuple[AnyStep, ...]] = (*Step, *Applying)


def step_of(name: str) -> AnyStep:
    return next(step for step in STEPS if step.name == name)


class Deed(Enum):
    CRASH = "crash"
    STOP = "stop"
    """Until somebody sends SIGCONT."""
    CUT = "cut"
    """The connection is lost there, three times: a trial whose last commit is lost never comes to its end."""
    DELAY = "delay"
    """The offsets of every third transaction are so many seconds on their way."""
    FAIL = "fail"
    """Every batch of that number is lost on its way."""


@dataclass(frozen=True)
class Injection:
    """`passing`: at the how-manieth passing of the step; for CUT at that, and twice or three times that."""

    deed: Deed
    step: AnyStep
    passing: int

    @classmethod
    def parse(cls, text: str) -> Injection:
        deed, step, passing = text.split(":")
        return cls(Deed(deed), step_of(step), int(passing))

    def __str__(self) -> str:
        return f"{self.deed.value}:{self.step.name}:{self.passing}"

    def apply(self) -> None:
        if self.deed is Deed.DELAY:
            _delay_offsets(self.passing)
        elif self.deed is Deed.FAIL:
            _lose_batches(self.passing)
        elif isinstance(self.step, Step):
            _reach_transactions(self._reaching(self.step))
        else:
            _reach_applying(self._reaching(self.step))

    def _reaching(self, wanted: AnyStep) -> Callable[[AnyStep], None]:
        passed = 0

        def reached(step: AnyStep) -> None:
            nonlocal passed
            if step is not wanted:
                return
            passed += 1
            if self.deed is Deed.CUT:
                if passed in (self.passing, 2 * self.passing, 3 * self.passing):
                    raise KafkaConnectionError(f"{CUT}{step.name}")
            elif passed == self.passing:
                _end_or_stop(self.deed)

        return reached


def _end_or_stop(deed: Deed) -> None:
    if deed is Deed.CRASH:
        os.kill(os.getpid(), signal.SIGKILL)
    print(STOPPED, flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)


def _reach_transactions(reached: Callable[[AnyStep], None]) -> None:
    class Reaching(transactions.TransactionalProducer):
        def __init__(self, producer: Kip447Producer, options: transactions.TransactionOptions) -> None:
            super().__init__(producer, replace(options, failpoint=reached))

    transactions.TransactionalProducer = Reaching  # type: ignore[misc]


def _reach_applying(reached: Callable[[AnyStep], None]) -> None:
    applying: Any = Task.applying

    def applied_in_steps(*arguments: Any, **options: Any) -> Any:
        slices = applying(*arguments, **options)
        reached(Applying.BEFORE_APPLY)
        for number, each in enumerate(slices):
            if number == 1:
                reached(Applying.HALF_APPLIED)
            yield each
        reached(Applying.APPLIED)

    instead(Task, "applying", lambda _: applied_in_steps)


def _delay_offsets(seconds: int) -> None:
    sent = 0

    def make(send: Any) -> Any:
        async def slowly(*arguments: Any) -> None:
            nonlocal sent
            sent += 1
            if sent % 3 == 0:
                await asyncio.sleep(seconds)
            await send(*arguments)

        return slowly

    instead(Kip447Producer, "send_offsets_to_transaction", make)


def _lose_batches(every: int) -> None:
    sent = 0

    def make(send: Any) -> Any:
        async def lossy(*arguments: Any, **options: Any) -> Any:
            nonlocal sent
            sent += 1
            if sent % every:
                return await send(*arguments, **options)
            lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            lost.set_exception(KafkaConnectionError("a batch is lost"))
            return lost

        return lossy

    instead(Kip447Producer, "send_batch", make)
