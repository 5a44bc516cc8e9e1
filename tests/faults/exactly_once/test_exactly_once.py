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
MIXED = {Kind.KILL: 3, Kind.TERM: 2, Kind.ZOMBIE: 1, Kind.BROKER: 1, Kind.REBALANCE: 4}


@pytest.mark.timeout(300)
async def test_every_output_is_exact(broker_factory: Callable[..., BrokerUnderTest], tmp_path: Path) -> None:
    broker = broker_factory()
    terms = Terms(SEED, plan(SEED, MIXED, SESSION_S), static=False)
    outcome = await attempt(broker.address, tmp_path / "trial", terms, broker)
    assert outcome.passed, str(outcome)


@pytest.mark.timeout(300)
async def test_a_crash_at_each_step_of_a_transaction_leaves_no_trace(kafka: str, tmp_path: Path) -> None:
    assert set(Step) < set(STEPS)
    crashes = [
        Fault(Kind.CRASH, 0, 0.0, 0.0, patient=False, injection=f"crash:{step.name}:{2 + at % 3}")
        for at, step in enumerate(STEPS)
    ]
    outcome = await attempt(kafka, tmp_path, Terms(SEED, crashes, instances=1, commit_ms=100))
    assert outcome.passed, str(outcome)


@pytest.mark.timeout(300)
async def test_nothing_is_lost_at_least_once(kafka: str, tmp_path: Path) -> None:
    faults = plan(SEED, {Kind.KILL: 2, Kind.TERM: 1}, SESSION_S)
    terms = Terms(SEED, faults, exactly_once=False, instances=2, standbys=1, own_state=False)
    outcome = await attempt(kafka, tmp_path, terms)
    assert outcome.passed, str(outcome)
