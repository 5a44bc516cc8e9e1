"""The broker of compose.yaml, started here from its environment: no container engine is needed to see that it works."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.broker import Extra
from app.broker.ports import settle
from app.broker.properties import SINGLE_NODE
from tests.brokers import BrokerUnderTest
from tests.containers.compose import environment, listener_ports, moved, properties, services

# What the embedded broker sets for its own sake, at Kafka's defaults again; and where it insists on its own.
KAFKA_DEFAULTS = {
    "broker.heartbeat.interval.ms": "2000",
    "broker.session.timeout.ms": "9000",
    "offsets.topic.num.partitions": "50",
    "transaction.state.log.num.partitions": "50",
}
OF_THE_MACHINE = frozenset({"log.dirs"})


@dataclass(frozen=True)
class Moved:
    """The compose file's broker on other ports: listener → address, and the results of its health check."""

    addresses: dict[str, str]
    healthy_before: bool
    healthy: bool


def is_healthy(ports: dict[int, int]) -> bool:
    kind, *command = services()["kafka"]["healthcheck"]["test"]
    assert kind == "CMD"
    old = next(port for port in ports if command[-1].endswith(f"/{port}"))
    command[-1] = command[-1].replace(str(old), str(ports[old]))
    return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    environ = environment("kafka")
    settings = properties(environ)
    old = listener_ports(settings)
    free = settle(tuple(old), {}, {})
    ports = {old[name]: free[name] for name in old}
    settings = {name: moved(value, ports) for name, value in settings.items() if name not in OF_THE_MACHINE}
    extra = Extra(properties=KAFKA_DEFAULTS | settings, jvm=tuple(environ["KAFKA_HEAP_OPTS"].split()), restart=False)
    before = is_healthy(ports)
    with BrokerUnderTest(tmp_path_factory.mktemp("compose"), extra):
        yield Moved({name: f"127.0.0.1:{port}" for name, port in free.items()}, before, is_healthy(ports))


def test_the_file_leaves_nothing_to_the_embedded_broker_s_own_settings() -> None:
    """Else it would work here and not in a container. What comes up here belongs into the file or KAFKA_DEFAULTS."""
    assert SINGLE_NODE.keys() - properties(environment("kafka")).keys() - KAFKA_DEFAULTS.keys() == set()


def test_the_health_check_turns_with_the_broker(broker: Moved) -> None:
    assert not broker.healthy_before
    assert broker.healthy


@pytest.mark.timeout(30)  # what is missing is waited for by the clients
async def test_services_and_people_outside_share_its_topics(broker: Moved) -> None:
    """Through transactions and a group: a single node cannot keep their topics in Kafka's default number of copies."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.addresses["HOST"])
    await admin.start()
    try:
        await admin.create_topics([NewTopic("numbers", num_partitions=6, replication_factor=1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=broker.addresses["INTERNAL"], transactional_id="compose")
    async with producer, producer.transaction():
        await producer.send_and_wait("numbers", b'{"A": 0}', key=b"A")
    async with AIOKafkaConsumer(
        "numbers",
        bootstrap_servers=broker.addresses["HOST"],
        group_id="outside",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as consumer:
        record = await consumer.getone()
        await consumer.commit()
    assert (record.key, record.value) == (b"A", b'{"A": 0}')


async def test_topics_are_not_made_by_asking_for_them(broker: Moved) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.addresses["HOST"])
    await admin.start()
    try:
        described = await admin.describe_topics(["never-created"])
        assert described[0]["error_code"] == 3
        assert "never-created" not in await admin.list_topics()
    finally:
        await admin.close()
