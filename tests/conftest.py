"""What every test may ask for: a real Apache Kafka, and further ones to break."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.brokers import BrokerFactory, BrokerUnderTest

# A run of the tests says the same each time; HYPOTHESIS_PROFILE=explore looks for what no run has seen yet.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", print_blob=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a broker that all tests of a run share: use topics, groups and transactional ids of your own."""
    with BrokerUnderTest(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.address


@pytest.fixture
def broker_factory(tmp_path: Path) -> Iterator[Callable[..., BrokerUnderTest]]:
    """`broker_factory(Extra(…))`: brokers of the test's own, to kill, pause, restart, configure: tests/brokers.py."""
    with BrokerFactory(tmp_path) as factory:
        yield factory
