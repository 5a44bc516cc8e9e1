import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.broker import Broker, Extra, embedded
from app.errors import BrokerUnavailable, ConfigError, TryAgain
from app.settings.model import BrokerSettings
from tests.broker.processes import is_unused
from tests.brokers import BrokerUnderTest, cache_dir


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose broker was killed."""
    with BrokerUnderTest(tmp_path_factory.mktemp("worn") / "home") as broker:
        broker.kill()
    return broker.folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home, with blanks and a comma: é"


@pytest.fixture
def options(home: Path) -> BrokerSettings:
    return BrokerSettings(data_dir=home, cache_dir=cache_dir())


async def topics(broker: Broker) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def create(broker: Broker, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def test_data_and_address_are_kept_until_fresh(options: BrokerSettings, home: Path, worn: Path) -> None:
    shutil.copytree(worn, home)
    said: list[str] = []
    async with embedded(options, say=said.append) as broker:
        await create(broker, "kept")
        assert await topics(broker) == {"kept"}
        assert (broker.joined, broker.log, broker.data) == (False, home / "kafka.log", home / "data")
        assert "started (kafka.server.KafkaRaftServer)" in broker.log.read_text()

        async with AsyncExitStack() as stack:
            second = await stack.enter_async_context(embedded(options, say=said.append))
            assert (second.joined, second.address, second.pid) == (True, broker.address, broker.pid)
            with pytest.raises(TryAgain, match=r"^--fresh cannot be had: the Apache Kafka in .* serves others at 127"):
                await stack.enter_async_context(embedded(options, fresh=True, say=said.append))
            other = options.model_copy(update={"port": 1})
            with pytest.raises(TryAgain, match=r"^APP_BROKER__PORT=1 cannot be had: .*; end them first, or set"):
                await stack.enter_async_context(embedded(other, say=said.append))
        assert await topics(broker) == {"kept"}
        address = broker.address

    async with embedded(options, say=said.append) as broker:
        assert broker.address == address
        assert await topics(broker) == {"kept"}

    async with embedded(options, fresh=True, say=said.append) as broker:
        assert broker.address == address
        assert await topics(broker) == set()
    assert is_unused(home)
    assert said[0].startswith("starting Apache Kafka 4.3.1 with /")
    assert said[1] == f"started Apache Kafka at {address}; its log is {home / 'kafka.log'}"
    assert said[2] == f"joined Apache Kafka at {address}; its log is {home / 'kafka.log'}"


async def test_spoilt_data_is_told_in_one_line_with_the_way_out(
    options: BrokerSettings, home: Path, worn: Path
) -> None:
    shutil.copytree(worn, home)
    (home / "data" / "__cluster_metadata-0" / "quorum-state").write_text("spoilt")
    with pytest.raises(BrokerUnavailable) as told:
        async with embedded(options, say=print):
            pass
    line = str(told.value)
    assert line.startswith("the private Apache Kafka cannot start: it ended with exit status 1: ")
    assert line.endswith(f"; its log is {home / 'kafka.log'}; --fresh begins anew with empty data")
    assert "\n" not in line
    assert is_unused(home)


async def test_a_lost_storage_is_not_silently_a_new_one(options: BrokerSettings, home: Path, worn: Path) -> None:
    shutil.copytree(worn, home)
    shutil.rmtree(home / "data")
    with pytest.raises(BrokerUnavailable, match=r"meta.properties cannot be read; its log is"):
        async with embedded(options, say=print):
            pass
    assert is_unused(home)


async def test_a_taken_port_that_was_set(options: BrokerSettings, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^APP_BROKER__PORT: port {port} is taken"):
            async with embedded(options.model_copy(update={"port": port}), say=print):
                pass
    assert is_unused(home)


async def test_without_the_extra_both_ways_out_are_named(
    options: BrokerSettings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jgo", None)
    with pytest.raises(ConfigError) as told:
        async with embedded(options, say=print):
            pass
    assert str(told.value) == (
        "no Kafka to use: APP_KAFKA__BOOTSTRAP_SERVERS is not set and the private one is not installed; "
        "set it to host:port of yours, or pip install '.[embedded]'"
    )


@pytest.fixture
def broker(tmp_path: Path, worn: Path) -> Iterator[BrokerUnderTest]:
    shutil.copytree(worn, tmp_path / "home")
    with BrokerUnderTest(tmp_path / "home") as started:
        yield started


def test_a_broker_of_the_tests_is_killed_paused_and_started_at_its_address(broker: BrokerUnderTest) -> None:
    address, pid = broker.address, broker.pid
    host, _, port = address.rpartition(":")
    broker.kill()
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0
    broker.start()
    assert (broker.address, broker.pid == pid) == (address, False)
    broker.pause()
    broker.resume()
    socket.create_connection((host, int(port))).close()


async def test_a_death_for_good_reaches_who_waits_for_it(options: BrokerSettings, home: Path, worn: Path) -> None:
    shutil.copytree(worn, home)
    async with embedded(options, say=print, extra=Extra(restart=False)) as broker:
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        with pytest.raises(BrokerUnavailable, match=r"^the private Apache Kafka .* SIGKILL.*; its log is .*kafka.log"):
            await asyncio.wait_for(broker.died(), 30)
        with pytest.raises(BrokerUnavailable):
            await broker.answering()
    assert is_unused(home)
