"""Short forms of what `scripts/soak` does for long: instances die, freeze, come and go, and every output is exact."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.kafka.failpoints import Step
from tests.brokers import BrokerUnderTest
from tests.faults.exactly_once.injections import STEPS
from tests.faults.exactly_once.instances import SESSION_S
from tests.faults.exactly_once.schedule import Fault, Kind, plan
from tests.faults.exactly_once.trial import Terms, attempt

SEED = 20_261_122


@pytest.mark.parametrize(
    ("counts", "static"),
    [
        ({Kind.KILL: 6, Kind.TERM: 3}, True),
        ({Kind.REBALANCE: 8, Kind.TERM: 2}, False),
        ({Kind.ZOMBIE: 2}, False),
    ],
    ids=["kills", "rebalances", "zombies"],
)
async def test_every_output_is_exact(kafka: str, tmp_path: Path, counts: dict[Kind, int], static: bool) -> None:
    outcome = await attempt(kafka, tmp_path, Terms(SEED, plan(SEED, counts, SESSION_S), static=static))
    assert outcome.passed, str(outcome)


async def test_every_output_is_exact_when_the_broker_dies(
    broker_factory: Callable[..., BrokerUnderTest], tmp_path: Path
) -> None:
    broker = broker_factory()
    terms = Terms(SEED, plan(SEED, {Kind.BROKER: 1, Kind.KILL: 1}, SESSION_S), instances=2)
    outcome = await attempt(broker.address, tmp_path / "trial", terms, broker)
    assert outcome.passed, str(outcome)


async def test_nothing_is_lost_at_least_once(kafka: str, tmp_path: Path) -> None:
    faults = plan(SEED, {Kind.KILL: 3, Kind.TERM: 1}, SESSION_S)
    outcome = await attempt(kafka, tmp_path, Terms(SEED, faults, exactly_once=False, instances=2))
    assert outcome.passed, str(outcome)


@pytest.mark.parametrize("part", [0, 1])
async def test_a_crash_at_each_step_of_a_transaction_leaves_no_trace(kafka: str, tmp_path: Path, part: int) -> None:
    assert set(Step) < set(STEPS)
    crashes = [
        Fault(Kind.CRASH, 0, 0.0, 0.0, patient=True, injection=f"crash:{step.name}:{3 + at % 3}")
        for at, step in enumerate(STEPS)
    ]
    outcome = await attempt(kafka, tmp_path, Terms(SEED, crashes[part::2], instances=1))
    assert outcome.passed, str(outcome)
