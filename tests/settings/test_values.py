from pathlib import Path

import pytest

from app.settings import SettingsTree
from tests.settings.trying import settings


def test_without_any_settings_the_defaults_hold() -> None:
    assert settings({}).model_dump() == SettingsTree().model_dump()
    assert settings({}).kafka.bootstrap_servers is None
    assert settings({}).dead_letter_topic == "numtest1.dlq"


@pytest.mark.parametrize(
    "text",
    ["one:9092,[::1]:9093", " one:9092 , [::1]:9093 ", '["one:9092", "[::1]:9093"]', ' [ "one:9092","[::1]:9093" ]\n'],
)
def test_a_list_is_csv_or_json(text: str) -> None:
    assert settings({"KAFKA_BOOTSTRAP_SERVERS": text}).kafka.bootstrap_servers == ("one:9092", "[::1]:9093")


def test_an_ipv6_address_at_the_head_of_a_list_is_not_json() -> None:
    servers = settings({"KAFKA_BOOTSTRAP_SERVERS": "[::1]:9092,one:9092"}).kafka.bootstrap_servers
    assert servers == ("[::1]:9092", "one:9092")


def test_a_list_that_may_be_empty_takes_nothing_for_an_answer() -> None:
    assert settings({"APP_HTTP__ALLOWED_HOSTS": ""}).http.allowed_hosts == ()
    assert settings({"APP_HTTP__ALLOWED_HOSTS": "[]"}).http.allowed_hosts == ()
    assert settings({"APP_HTTP__ALLOWED_HOSTS": "one.test,two.test"}).http.allowed_hosts == ("one.test", "two.test")


@pytest.mark.parametrize("text", ["sasl_ssl", "SASL-SSL", " Sasl_Ssl "])
def test_a_protocol_may_be_spelled_in_any_case(text: str) -> None:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": "one:9092",
        "KAFKA_SECURITY_PROTOCOL": text,
        "KAFKA_SASL_USERNAME": "ann",
        "KAFKA_SASL_PASSWORD": "correct horse",
    }
    assert settings(environ).kafka.security_protocol == "SASL_SSL"


@pytest.mark.parametrize("text", ["SCRAM_SHA_512", "scram-sha-512"])
def test_a_mechanism_may_be_spelled_in_any_case_and_with_underscores(text: str) -> None:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": "one:9092",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": text,
        "KAFKA_SASL_USERNAME": "ann",
        "KAFKA_SASL_PASSWORD": "correct horse",
    }
    assert settings(environ).kafka.sasl_mechanism == "SCRAM-SHA-512"


def test_roles_levels_and_formats_may_be_spelled_in_any_case() -> None:
    tree = settings({"APP_ROLES": "A, Streams", "APP_LOG__LEVEL": "debug", "APP_LOG__FORMAT": "JSON"})
    assert (tree.roles, tree.log.level, tree.log.format) == (("a", "streams"), "DEBUG", "json")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("ON", True), ("no", False), ("0", False)])
def test_a_switch_takes_the_usual_words(text: str, value: bool) -> None:
    assert settings({"APP_KAFKA__ALLOW_PLAIN_PASSWORD": text}).kafka.allow_plain_password is value


@pytest.mark.parametrize(
    "server",
    ["localhost:1", "kafka-0.kafka.svc.cluster.local.:65535", "127.0.0.1:9092", "my_kafka:9092", "[fe80::1%eth0]:9092"],
)
def test_servers_are_names_or_addresses(server: str) -> None:
    assert settings({"KAFKA_BOOTSTRAP_SERVERS": server}).kafka.bootstrap_servers == (server,)


def test_bounds_belong_to_what_is_allowed() -> None:
    tree = settings({"APP_A__INTERVAL": "0.000001", "APP_B__INTERVAL": "86400", "APP_HTTP__PORT": "65535"})
    assert (tree.a.interval, tree.b.interval, tree.http.port) == (0.000001, 86_400, 65_535)


def test_the_last_number_may_be_the_last_of_64_bits() -> None:
    assert settings({"APP_B__FIRST": str(2**63 - 3), "APP_B__COUNT": "2"}).b.count == 2


def test_the_home_directory_is_known_outside_of_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings({"APP_BROKER__DATA_DIR": "~/kafka"}).broker.data_dir == tmp_path / "kafka"


def test_the_guarantee_decides_how_often_is_committed_unless_that_is_set() -> None:
    assert settings({}).streams.commit_every_ms == 100
    assert settings({"APP_STREAMS__GUARANTEE": "At-Least-Once"}).streams.commit_every_ms == 30_000
    assert settings({"APP_STREAMS__COMMIT_INTERVAL_MS": "7"}).streams.commit_every_ms == 7


def test_a_heartbeat_comes_every_300_ms_unless_that_is_set() -> None:
    assert settings({}).streams.heartbeat_every_ms == 300
    assert settings({"APP_STREAMS__HEARTBEAT_INTERVAL_MS": "500"}).streams.heartbeat_every_ms == 500


def test_dead_letters_of_the_topology_go_beside_its_internal_topics() -> None:
    assert settings({"APP_STREAMS__APPLICATION_ID": "orders"}).streams_dead_letter_topic == "orders.dlq"
    assert settings({"APP_STREAMS__DEAD_LETTER_TOPIC": "bad"}).streams_dead_letter_topic == "bad"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("http://one:8080", "http://one:8080"),
        ("HTTP://10.0.0.7:1/", "http://10.0.0.7:1"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_the_advertised_address_is_kept_without_a_path(text: str, value: str) -> None:
    assert settings({"APP_HTTP__ADVERTISED": text}).http.advertised == value


def test_the_tree_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings({}).kafka.topic = "other"  # type: ignore[misc]  # that is the point
