"""Who runs: each a process that is told everything in its environment and ends in order when asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from benchmarks.race.load import WINDOW
from tests.java import Program

COMMIT_MS: Final = 1_000
ENDS_WITHIN_S: Final = 60
ROOT: Final = Path(__file__).parents[2]
JAVA_OPTIONS: Final = ("-Xmx1g", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED")

QUIX: Final = "quixstreams==3.28.1"
QUIX_WARM: Final = 0.2
JAVA_WARM: Final = 2.0
INSTALLED_WITHIN_S: Final = 300

Guarantee = Literal["at_least_once", "exactly_once_v2"]


class NoCandidate(Exception):
    """It cannot be had here."""


@dataclass(frozen=True)
class Race:
    """What one run is told. `group` is the consumer group and the prefix of all that belongs to the run."""

    servers: str
    group: str
    shape: str
    input: str
    output: str
    state: Path
    guarantee: Guarantee

    def environ(self) -> dict[str, str]:
        told = {
            "SERVERS": self.servers,
            "GROUP": self.group,
            "SHAPE": self.shape,
            "INPUT": self.input,
            "OUTPUT": self.output,
            "STATE": str(self.state),
            "GUARANTEE": self.guarantee,
            "COMMIT_MS": str(COMMIT_MS),
            "WINDOW": str(WINDOW),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
        return kept | {f"RACE_{name}": value for name, value in told.items()}


@dataclass(frozen=True)
class Candidate:
    """`every_update`: each update of a count is sent. `ends`: how it is asked to end. `more`: for its environment.
    `warm`: how much of the warm-up it gets. Java is compiled on the core that it runs on and grows faster up to half a
    million records; Quix Streams is as fast after its first commits as ever."""

    name: str
    command: tuple[str, ...]
    guarantee: Guarantee = "at_least_once"
    every_update: bool = True
    ends: Literal["signal", "input"] = "signal"
    json: bool = False
    warm: float = 1.0
    more: Mapping[str, str] = field(default_factory=dict)

    def start(self, race: Race, log: Path) -> subprocess.Popen[bytes]:
        environ = race.environ() | {name: value.format(race=race) for name, value in self.more.items()}
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=ROOT, env=environ
            )

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        if self.ends == "signal":
            process.send_signal(signal.SIGTERM)
        elif process.stdin is not None:
            process.stdin.close()
        return process.wait(ENDS_WITHIN_S)


def ours(guarantee: Guarantee) -> Candidate:
    settings = {
        "APP_ROLES": "streams",
        "APP_TOPOLOGY": "benchmarks.race.topologies:{race.shape}",
        "APP_KAFKA__BOOTSTRAP_SERVERS": "{race.servers}",
        "APP_STREAMS__APPLICATION_ID": "{race.group}",
        "APP_STREAMS__GUARANTEE": guarantee,
        "APP_STREAMS__COMMIT_INTERVAL_MS": str(COMMIT_MS),
        "APP_STREAMS__STATE_DIR": "{race.state}",
        "APP_HTTP__PORT": "0",
    }
    return Candidate("ours" + suffix(guarantee), (sys.executable, "-m", "app"), guarantee, more=settings)


def by_hand(guarantee: Guarantee) -> Candidate:
    return Candidate(
        "aiokafka by hand" + suffix(guarantee), (sys.executable, "-m", "benchmarks.race.byhand"), guarantee
    )


def java(program: Program, guarantee: Guarantee, *, cache: bool = False) -> Candidate:
    """`cache`: of Kafka Streams' default size, so that only the last update of a key within a commit interval is sent
    and logged; without it every one is, as by us."""
    command = (program.java, *JAVA_OPTIONS, "-cp", program.classpath, "race.Race")
    return Candidate(
        f"java{', cache 10 MiB' if cache else ''}{suffix(guarantee)}",
        command,
        guarantee,
        every_update=not cache,
        ends="input",
        warm=JAVA_WARM,
        more={} if cache else {"RACE_CACHE": "0"},
    )


def quix(folder: Path, guarantee: Guarantee) -> Candidate:
    """In an environment of its own, made once in `folder`. Raises NoCandidate where the package cannot be had."""
    python = folder / "bin" / "python"
    looked = [str(python), "-c", "import quixstreams"]
    if not python.exists() or subprocess.run(looked, capture_output=True, check=False).returncode:
        print(f"installing {QUIX} in {folder}, once ...", flush=True)
        _install(folder, python)
    program = Path(__file__).with_name("quix.py")
    return Candidate("quix" + suffix(guarantee), (str(python), str(program)), guarantee, json=True, warm=QUIX_WARM)


def _install(folder: Path, python: Path) -> None:
    # without a network pip would try again for minutes
    install = [str(python), "-m", "pip", "install", "--quiet", "--retries", "1", "--only-binary", ":all:", QUIX]
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        subprocess.run(install, capture_output=True, text=True, check=True, timeout=INSTALLED_WITHIN_S)
    except (subprocess.CalledProcessError, OSError) as failed:
        said = getattr(failed, "stderr", None) or str(failed)
        raise NoCandidate(f"{QUIX} cannot be installed: {said.strip().splitlines()[-1]}") from failed
    except subprocess.TimeoutExpired as late:
        raise NoCandidate(f"{QUIX} is not installed within {INSTALLED_WITHIN_S} s") from late


def suffix(guarantee: Guarantee) -> str:
    return ", exactly once" if guarantee == "exactly_once_v2" else ""
