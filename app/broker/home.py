"""The directory where a private broker lives, kept between runs.

broker.lock        flock: held by who starts, then by the guardian and the JVM, so that it ends with the last of them
broker.json        this directory is ours: cluster id and ports
running.json       where the guardian listens, while it does
server.properties  log4j2.properties  kafka.log  kafka.log.1 (of the run before)  data/  tmp/
"""

import base64
import fcntl
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.errors import BrokerUnavailable, ConfigError


@dataclass(frozen=True)
class Identity:
    """What a broker keeps over its lives. `formatted` turns true only when the storage was formatted to its end."""

    cluster_id: str
    ports: dict[str, int]
    formatted: bool = False

    def renewed(self) -> "Identity":
        """For emptied storage: another cluster, at the same ports."""
        return replace(self, cluster_id=new_cluster_id(), formatted=False)


def new_cluster_id() -> str:
    """16 random bytes as Kafka's Uuid writes them; a leading dash would read as an option."""
    while (text := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return text


@dataclass(frozen=True)
class Home:
    root: Path

    @property
    def log(self) -> Path:
        return self.root / "kafka.log"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def running(self) -> Path:
        return self.root / "running.json"

    def prepare(self) -> None:
        """Makes the directory; refuses one that holds somebody else's files."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            names = {path.name for path in self.root.iterdir()}
        except OSError as error:
            raise ConfigError(f"APP_BROKER__DATA_DIR: cannot keep a broker in {self.root}: {error}") from error
        if names and not names & {"broker.lock", "broker.json"}:
            raise ConfigError(
                f"APP_BROKER__DATA_DIR: {self.root} holds files that are not of a private Apache Kafka",
                try_next="set it to an empty or a new directory",
            )

    def try_lock(self) -> int | None:
        """A descriptor that holds the lock until its last copy is closed, in whichever process; None: it is held."""
        try:
            lock = os.open(self.root / "broker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"APP_BROKER__DATA_DIR: cannot keep a broker in {self.root}: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def identity(self) -> Identity:
        """As it was kept; a new one in a new directory."""
        try:
            return Identity(**json.loads((self.root / "broker.json").read_bytes()))
        except FileNotFoundError:
            return Identity(new_cluster_id(), {})
        except (ValueError, TypeError) as error:
            raise self.unusable(f"{self.root / 'broker.json'} is damaged") from error

    def keep(self, identity: Identity) -> None:
        self.write("broker.json", json.dumps(asdict(identity)))

    def write(self, name: str, text: str) -> None:
        """Whole or not at all: a crash half-way leaves what was there."""
        new = self.root / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)  # properties hold the passwords of listeners
        new.replace(self.root / name)

    def wipe(self) -> None:
        if self.data.exists():
            shutil.rmtree(self.data)

    def sweep(self) -> None:
        """What the last life left: its log becomes the older one, its unpacked libraries go."""
        if self.log.exists():
            self.log.replace(self.root / "kafka.log.1")
        self.running.unlink(missing_ok=True)
        shutil.rmtree(self.root / "tmp", ignore_errors=True)
        (self.root / "tmp").mkdir()

    def check(self, identity: Identity) -> None:
        """Whether the storage is the one that was formatted here."""
        try:
            lines = (self.data / "meta.properties").read_text().splitlines()
        except OSError as error:
            raise self.unusable(f"{self.data / 'meta.properties'} cannot be read") from error
        found = dict(line.split("=", 1) for line in lines if "=" in line).get("cluster.id")
        if found != identity.cluster_id:
            raise self.unusable(f"{self.data} is of another Kafka cluster ({found}, not {identity.cluster_id})")

    def unusable(self, what: str) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"the private Apache Kafka cannot start: {what}",
            try_next=f"its log is {self.log}; --fresh begins anew with empty data",
        )
