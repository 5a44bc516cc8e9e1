"""The service as a process of its own, against a real broker that comes, goes and comes back."""

import json
import signal
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from tests.brokers import BrokerUnderTest
from tests.faults.lives import Life, Printed, living, on_topic, skipped_or_doubled
from tests.faults.outages import number_through_outages
from tests.service import free_port, get, is_ready, service, wait_until

Environment = Mapping[str, str]
BrokerOfItsOwn = Callable[[], BrokerUnderTest]

ENDS_WITHIN = 2.0
ENDS_WITHOUT_A_BROKER_WITHIN = 10.0
SLACK = 3.0
"""Seconds: a machine that runs other tests at the same time is slower than the promise."""


def environment(servers: str, **more: str) -> dict[str, str]:
    name = f"numbers-{uuid.uuid4().hex[:8]}"
    return {
        "APP_KAFKA__BOOTSTRAP_SERVERS": servers,
        "APP_KAFKA__TOPIC": name,
        "APP_C__GROUP_ID": name,
        "APP_C__SESSION_TIMEOUT_MS": "6000",
        "APP_STREAMS__APPLICATION_ID": f"{name}-streams",
        "APP_STREAMS__SESSION_TIMEOUT_MS": "6000",
        **more,
    }


FAST = {"APP_A__INTERVAL": "0.01", "APP_B__INTERVAL": "0.02"}


@pytest.mark.filterwarnings("ignore:value_deserializer does not implement:DeprecationWarning")
def test_numbers_flow_and_any_client_reads_and_writes_them(kafka: str, tmp_path: Path) -> None:
    settings = environment(kafka, **FAST)
    topic = settings["APP_KAFKA__TOPIC"]
    with living(tmp_path, settings) as life:
        life.wait_for_lines(20)
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=kafka,
            value_deserializer=json.loads,
            auto_offset_reset="earliest",
            consumer_timeout_ms=20_000,
        )  # kafka-python deprecates plain functions there, and everybody uses them
        with closing(consumer):
            first: dict[str, int] = {}
            for record in consumer:
                (name, number), *more = record.value.items()
                assert more == []
                assert record.key == name.encode()
                assert number % 2 == {"A": 0, "B": 1}[name]
                first.setdefault(name, number)
                if len(first) == 2:
                    break
        assert first == {"A": 0, "B": 1}
        with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
            producer.send(topic, b'{"Z": 8}').get(10)
        wait_until("C prints a stranger's number", lambda: '{"Z": 8}' in life.lines())
        status, took = life.end(signal.SIGTERM)
    assert status == 0
    assert took < ENDS_WITHIN + SLACK
    assert all(set(line) <= set('{}": ABZ0123456789') for line in life.lines())
    assert "Traceback" not in life.log.read_text()


def test_two_services_share_the_partitions_and_either_goes_on_alone(kafka: str, tmp_path: Path) -> None:
    settings = environment(kafka, **FAST)
    group = settings["APP_C__GROUP_ID"]
    with living(tmp_path / "first", settings) as first, closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        first.wait_for_lines(5)
        with living(tmp_path / "second", {**settings, "APP_ROLES": "c"}) as second:
            wait_until("both have their share", lambda: (assignments(first), assignments(second)) == (2, 1))
            assert members(admin, group) == 2
            send_to_each_partition(kafka, settings["APP_KAFKA__TOPIC"], 1)
            wait_until("either prints its share", lambda: strangers(first) == strangers(second) == 3)
            assert first.end(signal.SIGTERM)[0] == 0
            send_to_each_partition(kafka, settings["APP_KAFKA__TOPIC"], 1)
            wait_until("the other prints all", lambda: strangers(second) == 9)
            wait_until("one member", lambda: members(admin, group) == 1)
            assert second.end(signal.SIGTERM)[0] == 0
        wait_until("an empty group", lambda: members(admin, group) == 0)
    assert strangers(first) == 3
    numbers = [line for line in first.lines() + second.lines() if "Z" not in line]
    assert len(numbers) == len(set(numbers))


def send_to_each_partition(servers: str, topic: str, number: int) -> None:
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        for partition in range(6):
            producer.send(topic, b'{"Z": %d}' % number, partition=partition)


def strangers(life: Life) -> int:
    return sum("Z" in line for line in life.lines())


def assignments(life: Life) -> int:
    return life.log.read_text().count("C has partitions of")


def members(admin: KafkaAdminClient, group: str) -> int:
    described = admin.describe_groups([group])
    return len(described[group]["members"])


def test_ready_follows_the_broker_and_nothing_confirmed_is_lost(broker_factory: BrokerOfItsOwn, tmp_path: Path) -> None:
    broker = broker_factory()
    settings = environment(broker.address, **FAST)
    with service(tmp_path, settings) as (life, port):
        wait_until("ready", lambda: is_ready(port))
        life.wait_for_lines(50)
        broker.kill()
        wait_until("not ready without a broker", lambda: not is_ready(port))
        status, reasons = get(port, "/readyz?verbose")
        assert (status, json.loads(reasons)["ready"]) == (503, False)
        assert f"waiting for Kafka at {broker.address}: " in reasons
        assert get(port, "/livez")[0] == 200
        printed = len(life.lines())
        broker.start()
        wait_until("ready again", lambda: is_ready(port))
        life.wait_for_lines(printed + 100)
        assert life.end(signal.SIGTERM)[0] == 0
        log = life.log.read_text()
    assert "answers again after" in log
    assert "Traceback" not in log
    kept, runs = on_topic(broker.address, settings["APP_KAFKA__TOPIC"])
    assert skipped_or_doubled(runs, {"A": 0, "B": 1}) == []
    assert Printed().add(life.lines(), kept, may_repeat=False) == []


def test_a_broker_that_comes_late_is_waited_for(broker_factory: BrokerOfItsOwn, tmp_path: Path) -> None:
    broker = broker_factory()
    address = broker.address
    broker.stop()
    with service(tmp_path, environment(address, **FAST)) as (life, port):
        wait_until("it says what it waits for", lambda: "waiting for Kafka" in life.log.read_text())
        assert not is_ready(port)
        assert get(port, "/livez")[0] == 200
        broker.start()
        life.wait_for_lines(10)
        wait_until("it is ready", lambda: is_ready(port))  # the stream engine has tasks to take, too
        assert life.end(signal.SIGTERM)[0] == 0
    assert "Traceback" not in life.log.read_text()


@pytest.mark.parametrize("fault", ["never there", "killed", "silent"])
def test_without_a_broker_the_end_comes_in_time(fault: str, broker_factory: BrokerOfItsOwn, tmp_path: Path) -> None:
    if fault == "never there":
        with service(tmp_path, environment(f"127.0.0.1:{free_port()}")) as (life, port):
            wait_until("it waits", lambda: "waiting for Kafka" in life.log.read_text())
            status, took = life.end(signal.SIGINT)
    else:
        broker = broker_factory()
        with service(tmp_path, environment(broker.address, **FAST)) as (life, port):
            life.wait_for_lines(20)
            (broker.kill if fault == "killed" else broker.pause)()
            if fault == "killed":
                wait_until("it is noticed", lambda: not is_ready(port))
            status, took = life.end(signal.SIGTERM)
        if fault == "silent":
            broker.resume()
    assert status == 0
    assert took < ENDS_WITHOUT_A_BROKER_WITHIN + SLACK
    assert "Traceback" not in life.log.read_text()


def test_a_second_signal_ends_it_at_once(broker_factory: BrokerOfItsOwn, tmp_path: Path) -> None:
    broker = broker_factory()
    with service(tmp_path, environment(broker.address, **FAST)) as (life, _):
        life.wait_for_lines(20)
        broker.pause()
        life.process.send_signal(signal.SIGTERM)
        wait_until("the first one is taken", lambda: "SIGTERM: stopping" in life.log.read_text())
        status, took = life.end(signal.SIGTERM)
        broker.resume()
    assert (status, took < SLACK) == (130, True)


def test_a_closed_standard_output_is_a_quiet_end(kafka: str, tmp_path: Path) -> None:
    with living(tmp_path, environment(kafka, **FAST), pipe=True) as life:
        assert life.process.stdout is not None
        assert [life.process.stdout.readline() for _ in range(2)]
        life.process.stdout.close()
        assert life.process.wait(60) == 0
    log = life.log.read_text()
    assert "Traceback" not in log
    assert "error" not in log


def test_a_paused_reader_holds_up_nothing_else(kafka: str, tmp_path: Path) -> None:
    settings = environment(kafka, APP_A__INTERVAL="0.0001", APP_B__INTERVAL="0.0001", APP_C__MAX_RECORDS="5000")
    port = free_port()
    with living(tmp_path, {**settings, "APP_HTTP__PORT": str(port)}, pipe=True) as life:
        wait_until(
            "the pipe is full",
            lambda: json.loads(get(port, "/statistics")[1])["consumers"][0]["printed"] > 0 if is_ready(port) else False,
        )
        before = json.loads(get(port, "/statistics")[1])["producers"][0]["acknowledged"]
        wait_until(
            "A goes on",
            lambda: json.loads(get(port, "/statistics")[1])["producers"][0]["acknowledged"] > before + 20_000,
        )
        assert get(port, "/livez")[0] == 200
        status, took = life.end(signal.SIGTERM)
    assert (status, took < ENDS_WITHOUT_A_BROKER_WITHIN + SLACK) == (0, True)


def test_a_producer_ends_with_its_count_and_the_service_with_its_roles(kafka: str, tmp_path: Path) -> None:
    settings = environment(kafka, APP_ROLES="a,b", APP_A__COUNT="100", APP_B__COUNT="7", **FAST)
    with living(tmp_path, settings) as life:
        assert life.process.wait(60) == 0
    kept, _ = on_topic(kafka, settings["APP_KAFKA__TOPIC"])
    assert kept == {"A": list(range(0, 200, 2)), "B": list(range(1, 15, 2))}


def test_a_hundred_thousand_numbers_at_full_speed(kafka: str, tmp_path: Path) -> None:
    full_speed = {"APP_A__INTERVAL": "0.000001", "APP_B__INTERVAL": "0.000001"}
    settings = environment(kafka, APP_A__COUNT="50000", APP_B__COUNT="50000", APP_ROLES="a,b,c", **full_speed)
    with living(tmp_path, settings) as life:
        life.wait_for_lines(100_000)
        assert life.end(signal.SIGTERM)[0] == 0
    by_name: dict[str, list[int]] = {"A": [], "B": []}
    for line in life.lines():
        for name, number in json.loads(line).items():
            by_name[name].append(number)
    assert by_name == {"A": list(range(0, 100_000, 2)), "B": list(range(1, 100_000, 2))}


def test_a_broker_that_dies_in_the_flow_costs_nothing(broker_factory: BrokerOfItsOwn, tmp_path: Path) -> None:
    outcome = number_through_outages(broker_factory(), tmp_path, numbers=20_000, outages=1, rate=2_000)
    assert outcome.faults == []
    assert outcome.numbers == 20_000
