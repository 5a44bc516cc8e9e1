from collections.abc import Iterator

import pytest

from tests.kafka.listeners import Listeners, started


@pytest.fixture(scope="session")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listeners]:
    with started(tmp_path_factory.mktemp("listeners")) as running:
        yield running
