import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.broker.home import Home, Identity, new_cluster_id
from app.errors import BrokerUnavailable, ConfigError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "broker")
    made.prepare()
    return made


def test_somebody_else_s_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(
        ConfigError, match=r"^APP_BROKER__DATA_DIR: .* not of a private Apache Kafka; set it to an empty"
    ):
        Home(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"^APP_BROKER__DATA_DIR: cannot keep a broker in "):
        Home(tmp_path / "file").prepare()


def test_an_identity_is_kept_and_its_files_are_private(home: Home) -> None:
    identity = Identity(new_cluster_id(), {"PLAINTEXT": 1}, formatted=True)
    home.keep(identity)
    assert home.identity() == identity
    assert (home.root / "broker.json").stat().st_mode & 0o777 == 0o600
    assert home.root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cluster_id": 1, "what": 2}'])
def test_a_damaged_identity_is_told_with_the_way_out(home: Home, text: str) -> None:
    (home.root / "broker.json").write_text(text)
    with pytest.raises(BrokerUnavailable, match=r"broker.json is damaged; its log is .*kafka.log; --fresh begins anew"):
        home.identity()


def test_the_lock_lasts_until_its_last_copy_is_closed(home: Home) -> None:
    """As the JVM's copy outlasts those of the service and of a killed guardian."""
    lock = home.try_lock()
    assert lock is not None
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        pass_fds=(lock,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        os.close(lock)
        assert home.try_lock() is None
        holder.kill()
    again = home.try_lock()
    assert again is not None
    os.close(again)


def test_storage_of_another_cluster_is_refused(home: Home) -> None:
    identity = Identity("abc", {}, formatted=True)
    with pytest.raises(BrokerUnavailable, match=r"meta\.properties cannot be read"):
        home.check(identity)
    home.data.mkdir()
    (home.data / "meta.properties").write_text("#\ncluster.id=xyz\nversion=1\n")
    with pytest.raises(BrokerUnavailable, match=r"data is of another Kafka cluster \(xyz, not abc\)"):
        home.check(identity)
    (home.data / "meta.properties").write_text("#\ncluster.id=abc\nversion=1\n")
    home.check(identity)


def test_the_log_of_the_run_before_is_kept(home: Home) -> None:
    home.log.write_text("first")
    home.sweep()
    home.log.write_text("second")
    home.sweep()
    assert (home.root / "kafka.log.1").read_text() == "second"
    assert not home.log.exists()


def test_a_renewed_identity_keeps_the_ports() -> None:
    old = Identity("a", {"PLAINTEXT": 5}, formatted=True)
    new = old.renewed()
    assert (new.ports, new.formatted) == (old.ports, False)
    assert new.cluster_id != old.cluster_id
