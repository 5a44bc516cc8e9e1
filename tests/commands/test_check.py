"""`python -m app check` as a user runs it: what is printed, the exit code, and that nothing else is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.broker import Extra
from app.commands.check import fitting, redacted
from app.errors import ExitCode
from app.settings import load
from tests.brokers import BrokerUnderTest
from tests.commands.applications import Application, application
from tests.kafka.far_sides import dead_port

ROOT = Path(__file__).resolve().parents[2]
REFUSED = "TCP failed: refused, nothing listens there; look at APP_KAFKA__BOOTSTRAP_SERVERS"


@pytest.fixture
def app(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    with application("checked-words", kafka, tmp_path, monkeypatch) as made:
        yield made


def check(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "KAFKA_"))}
    return subprocess.run(
        [sys.executable, "-m", "app", "check", *arguments],
        env=environ | {"PYTHONPATH": str(ROOT)} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_everything_works(kafka: str, tmp_path: Path) -> None:
    done = check(
        folder=tmp_path,
        KAFKA_BOOTSTRAP_SERVERS=kafka,
        KAFKA_TOPIC="checked",
        KAFKA_GROUP_ID="checked",
        APP_ROLES="a,b,c",
    )

    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    assert lines[0] == f"Kafka at {kafka}"
    assert lines[1:3] == ["✓ DNS: 127.0.0.1 is an address", f"✓ TCP: connected to port {kafka.rpartition(':')[2]}"]
    assert lines[3].startswith("✓ ApiVersions: a Kafka that takes ")
    assert lines[4].startswith("✓ metadata: cluster ")
    assert lines[5:] == [
        "✓ topic: checked will be created with 6 partitions",
        "✓ topic: checked.dlq will be created with 6 partitions",
        "✓ permissions: may write idempotently",
        "✓ permissions: may read group checked",
        "every step passed",
    ]


async def test_what_the_topology_needs(app: Application) -> None:
    def lines() -> list[str]:
        return check(folder=app.folder, APP_ROLES="streams", **app.environ).stdout.splitlines()[5:]

    internal = ", ".join([*app.internal, f"{app.name}.dlq", f"{app.name}.counts"])
    missing = [f"✗ topic failed: topic {app.name}.{name}, read by {name}, does not exist" for name in ("words", "more")]
    rights = [
        f"✓ permissions: may read group {app.name}",
        f"✓ permissions: may use transactional ids that begin with {app.name}-",
    ]
    assert lines() == [
        *(f"{line}; look at APP_TOPOLOGY" for line in missing),
        *rights,
        "2 steps failed (exit code 78)",
    ]

    await app.make_inputs()
    readable = [f"✓ permissions: may read {app.name}.{name}" for name in ("more", "words")]
    assert lines() == [
        f"✓ topic: the topology will create {internal}",
        *readable,
        *rights,
        "every step passed",
    ]

    await app.make_internal()
    assert lines() == [
        *readable,
        *(f"✓ permissions: may read, write to, delete {name}" for name in app.internal),
        *(f"✓ permissions: may write to {app.name}.{name}" for name in ("dlq", "counts")),
        *rights,
        "every step passed",
    ]


def test_the_step_that_failed_and_those_not_reached(tmp_path: Path) -> None:
    with dead_port() as dead:
        done = check(
            folder=tmp_path,
            KAFKA_BOOTSTRAP_SERVERS=dead,
            KAFKA_SECURITY_PROTOCOL="SASL_SSL",
            KAFKA_SASL_USERNAME="someone",
            KAFKA_SASL_PASSWORD="hunter2-canary",
        )

    assert done.returncode == ExitCode.UNAVAILABLE
    assert done.stdout.splitlines() == [
        f"Kafka at {dead}",
        "✓ DNS: 127.0.0.1 is an address",
        f"✗ {REFUSED}",
        "· TLS: not reached",
        "· ApiVersions: not reached",
        "· SASL: not reached",
        "· metadata: not reached",
        "· topic: not reached",
        "· permissions: not reached",
        "1 step failed (exit code 69)",
    ]
    assert done.stderr == ""


def test_json(tmp_path: Path) -> None:
    with dead_port() as dead:
        done = check("--json", folder=tmp_path, KAFKA_BOOTSTRAP_SERVERS=dead)

    report = json.loads(done.stdout)
    assert done.returncode == report["code"] == ExitCode.UNAVAILABLE
    assert (report["ok"], report["servers"]) == (False, [dead])
    assert report["steps"][-1] == {
        "step": "TCP",
        "about": dead,
        "outcome": "failed",
        "seen": REFUSED,
        "cause": "refused",
        "look_at": ["APP_KAFKA__BOOTSTRAP_SERVERS"],
        "remedy": "",
        "code": 69,
    }


def test_no_kafka_set_and_no_private_one_running(tmp_path: Path) -> None:
    done = check(folder=tmp_path, APP_BROKER__DATA_DIR=str(tmp_path / "data"))

    assert (done.returncode, done.stdout) == (ExitCode.UNAVAILABLE, "")
    assert done.stderr == (
        "no Kafka: APP_KAFKA__BOOTSTRAP_SERVERS is not set, and the private one does not run; "
        "set it to host:port of yours, or start the private one with python -m app broker\n"
    )


def test_the_private_kafka_that_runs_is_found_and_left_as_it_was(
    tmp_path: Path, broker_factory: Callable[[Extra], BrokerUnderTest]
) -> None:
    broker = broker_factory(Extra(properties={"auto.create.topics.enable": "true"}, restart=False))

    for _ in range(2):
        done = check(folder=tmp_path, APP_BROKER__DATA_DIR=str(broker.folder))

        assert (done.returncode, done.stderr) == (ExitCode.OK, "")
        assert done.stdout.splitlines()[0] == f"Kafka at {broker.address}"
        # Asking for a topic makes it, where the broker is set so and the asker does not mind.
        assert "✓ topic: numtest1 will be created with 6 partitions" in done.stdout


@pytest.mark.parametrize(
    ("encoding", "line"), [("utf-8", "✓ ok ✗ …"), ("ascii", "ok ok FAILED ?"), (None, "ok ok FAILED ?")]
)
def test_marks_that_a_terminal_cannot_show(encoding: str | None, line: str) -> None:
    assert fitting("✓ ok ✗ …", encoding) == line


def test_a_secret_is_not_shown_in_json_either() -> None:
    secret = r'a"b\c'
    login = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "ann", "KAFKA_SASL_PASSWORD": secret}
    settings = load([], {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092", **login}).settings
    said = {"seen": f"the broker said {secret}"}
    assert json.loads(redacted(json.dumps(said), settings)) == {"seen": "the broker said ********"}
    assert redacted(said["seen"], settings) == "the broker said ********"
