"""compose.yaml: valid, hardened, scalable, and with settings that the service takes."""

import base64
import os
import re
import subprocess
import sys

import pytest

from app.settings import load
from tests.containers.compose import COMPOSE, environment, listener_ports, properties, services
from tests.containers.dockerfile import instructions

OURS = ("app", "worker")


def test_it_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("service", OURS)
def test_our_containers_can_do_no_more_than_they_have_to(service: str) -> None:
    settings = services()[service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["init"] is True
    assert settings["stop_grace_period"] == "30s"
    assert settings["depends_on"]["kafka"]["condition"] == "service_healthy"


@pytest.mark.parametrize("service", ["kafka", *OURS])
def test_ports_are_published_on_this_machine_only(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services()[service]["ports"])


def test_nothing_of_the_worker_is_there_only_once() -> None:
    worker = services()["worker"]
    assert worker["profiles"] == ["worker"]
    assert worker["ports"] == ["127.0.0.1::8080"]
    assert not {"container_name", "hostname"} & worker.keys()


def test_the_broker_s_image_is_pinned_through_one_variable() -> None:
    image = services()["kafka"]["image"]
    assert re.fullmatch(r"\$\{KAFKA_IMAGE:-apache/kafka:\d+\.\d+\.\d+\}", image)
    assert COMPOSE.read_text().count("apache/kafka") == 1


def test_the_health_check_asks_the_listener_that_services_use() -> None:
    settings = properties(environment("kafka"))
    internal = listener_ports(settings)[settings["inter.broker.listener.name"]]
    assert services()["kafka"]["healthcheck"]["test"][-1].endswith(f"/{internal}")
    for service in OURS:
        assert environment(service)["APP_KAFKA__BOOTSTRAP_SERVERS"] == f"kafka:{internal}"


def test_clients_are_sent_where_they_came_in() -> None:
    """Services by the name of the container, people by the port that is published."""
    settings = properties(environment("kafka"))
    ports = listener_ports(settings)
    published = [int(port.rpartition(":")[2]) for port in services()["kafka"]["ports"]]
    assert published == [ports["HOST"]]
    assert settings["advertised.listeners"].split(",") == [
        f"INTERNAL://{services()['kafka']['hostname']}:{ports['INTERNAL']}",
        f"HOST://localhost:{ports['HOST']}",
    ]


def test_the_cluster_id_is_one() -> None:
    text = environment("kafka")["CLUSTER_ID"]
    assert len(base64.urlsafe_b64decode(f"{text}==")) == 16
    assert not text.startswith("-"), "Kafka's tools take it for an option"


@pytest.mark.parametrize(("service", "roles"), [("app", ("a", "b", "c", "streams")), ("worker", ("c", "streams"))])
def test_the_service_takes_its_environment(service: str, roles: tuple[str, ...]) -> None:
    image = dict(pair.split("=", 1) for pair in instructions().env)
    settings = load((), {"PATH": os.defpath, **image, **environment(service)}).settings
    assert settings.roles == roles
    assert settings.http.host == "0.0.0.0"  # noqa: S104 - inside the container
    assert settings.kafka.bootstrap_servers == ("kafka:19092",)
