"""What every test may ask for: a real Apache Kafka, and further ones to break."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers import BrokerFactory, BrokerUnderTest


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
