from collections.abc import Iterator

import pytest

from tests.kafka.certificates import Certificates, issue
from tests.kafka.listeners import Listeners, started


@pytest.fixture(scope="session")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listeners]:
    """A broker with a listener for every way to connect."""
    with started(tmp_path_factory.mktemp("listeners")) as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))
