"""Processes that share one broker, ended in every way."""

import signal
import socket
from pathlib import Path

import pytest

from app.errors import ExitCode
from tests.broker.processes import User, is_unused, jvm, until


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_two_that_start_at_once_share_one_broker_and_either_may_end_first(home: Path) -> None:
    with User(home) as first, User(home) as second:
        address = first.address()
        assert second.address() == address
        pid = jvm(home).pid

        assert first.end(signal.SIGTERM) == ExitCode.OK
        assert answers(address)
        with User(home) as third:
            assert third.address() == address
            # Whoever started the JVM, its killed users take nothing with them.
            assert second.end(signal.SIGKILL) == -signal.SIGKILL
            assert answers(address)
            assert jvm(home).pid == pid
            assert third.end(signal.SIGINT) == ExitCode.OK
            # An orderly last one returns only when all is gone.
            assert is_unused(home)
            assert not answers(address)
        assert not (home / "running.json").exists()
        said = first.errors() + second.errors()
        assert said.count("starting Apache Kafka") == 1
        assert said.count("joined Apache Kafka") == 1
        assert "Traceback" not in said


def test_whatever_is_killed_nothing_is_left_and_the_rest_recovers(home: Path) -> None:
    with User(home) as user:
        address = user.address()
        first = jvm(home)
        guardian = first.parent()
        assert guardian is not None

        first.kill()
        until(lambda: "Apache Kafka is back at" in user.errors())
        assert "Apache Kafka died (SIGKILL), starting it again in 0.25 s; its log is" in user.errors()
        assert answers(address)

        second = jvm(home)
        user.process.send_signal(signal.SIGSTOP)
        guardian.kill()
        guardian.wait(10)
        # As long as it lives, the JVM keeps others from starting a second one on its data.
        assert second.is_running()
        assert not is_unused(home)
        user.process.send_signal(signal.SIGCONT)
        until(lambda: user.errors().count("Apache Kafka is back at") == 2)
        assert "the watcher of Apache Kafka was killed" in user.errors()
        assert not second.is_running()
        assert answers(address)

        third = jvm(home)
        assert user.end(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: is_unused(home), 10)
        assert not third.is_running()

    # Nothing of the three lives keeps the fourth from starting, at the same address.
    with User(home) as user:
        assert user.address() == address
        assert user.end(signal.SIGTERM) == ExitCode.OK


def test_a_signal_during_the_start_ends_it(home: Path) -> None:
    with User(home) as user:
        until((home / "running.json").exists)
        assert user.end(signal.SIGTERM) == ExitCode.OK
        assert user.process.stdout is not None
        assert user.process.stdout.read() == ""
    assert is_unused(home)
