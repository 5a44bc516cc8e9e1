from pathlib import Path

from app.broker.properties import (
    Extra,
    broker_environment,
    client_address,
    format_arguments,
    jvm_command,
    render,
    server_properties,
)

PORTS = {"CONTROLLER": 20_001, "PLAINTEXT": 20_000, "TLS": 20_002}


def test_every_listener_is_advertised_but_the_controllers() -> None:
    properties = server_properties(PORTS, Extra(listeners={"TLS": "SSL"}))
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:20000,TLS://127.0.0.1:20002"
    assert properties["listener.security.protocol.map"] == "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL"
    assert properties["controller.quorum.bootstrap.servers"] == "127.0.0.1:20001"


def test_a_test_s_properties_win() -> None:
    assert server_properties(PORTS, Extra(properties={"node.id": "7"}))["node.id"] == "7"


def test_the_client_address_is_of_the_first_listener_for_clients() -> None:
    names = {"controller.listener.names": "C"}
    assert client_address({**names, "listeners": "C://:1,INTERNAL://:2,HOST://:3"}) == "127.0.0.1:2"
    assert client_address({**names, "listeners": "A://127.0.0.2:4,C://:1"}) == "127.0.0.2:4"


def test_a_static_quorum_is_formatted_without_naming_voters() -> None:
    assert "--standalone" in format_arguments("id", {})
    assert "--standalone" not in format_arguments("id", {"controller.quorum.voters": "1@localhost:1"})
    assert format_arguments("id", {}, ("--add-scram", "x"))[-2:] == ["--add-scram", "x"]


def test_values_are_written_as_java_reads_them() -> None:
    """Seen read back by java.util.Properties as they were given."""
    values = {"jaas": 'a "b" \\ c;\n\td', "blank": "  x", "accents": "Zoë 𝄞", "equals": "a=b:c"}
    assert render(values).splitlines() == [
        'jaas=a "b" \\\\ c;\\n\\td',
        "blank=\\  x",
        "accents=Zo\\u00eb \\ud834\\udd1e",
        "equals=a=b:c",
    ]


def test_an_extra_jvm_argument_comes_last_so_that_it_wins() -> None:
    command = jvm_command(
        Path("java"), (Path("a.jar"), Path("b.jar")), 300, Path("/home"), ("-XX:TieredStopAtLevel=4",)
    )
    assert command.index("-XX:TieredStopAtLevel=4") > command.index("-XX:TieredStopAtLevel=1")
    assert command[-2:] == ["-cp", "a.jar:b.jar"]
    assert "-Xmx300m" in command


def test_the_service_s_settings_do_not_reach_the_broker() -> None:
    given = {"APP_KAFKA__SASL_PASSWORD": "canary", "KAFKA_SASL_PASSWORD": "canary", "PATH": "/bin", "LC_ALL": "C"}
    assert broker_environment(given) == {"PATH": "/bin", "LC_ALL": "C.UTF-8"}
