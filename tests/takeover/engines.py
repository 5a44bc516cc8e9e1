"""One application, run by Java or by us: started as a process, ended in order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.java import Program

ENDS_WITHIN_S = 60
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Application:
    """What both engines are told. Each keeps its local state in a directory of its own below `home`."""

    servers: str
    name: str
    guarantee: str
    home: Path


@dataclass(frozen=True)
class Engine:
    """A started engine. `stop` ends it in order and raises when it does not end well."""

    process: subprocess.Popen[bytes]
    log: Path
    end: Callable[[subprocess.Popen[bytes]], None]

    def check(self) -> None:
        """Raises when it ended by itself."""
        if self.process.poll() is not None:
            raise AssertionError(f"it ended by itself, with {self.process.returncode}:\n{self._tail()}")

    def stop(self) -> None:
        self.end(self.process)
        try:
            status = self.process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {ENDS_WITHIN_S} s:\n{self._tail()}") from None
        assert status == 0, f"it ended with {status}:\n{self._tail()}"

    def _tail(self) -> str:
        return self.log.read_text("utf-8", errors="replace")[-4000:]


@contextmanager
def java(application: Application, program: Program, directory: str = "java") -> Iterator[Engine]:
    """Kafka Streams. It ends when its standard input does, and leaves its group."""
    state = application.home / directory
    options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED"]
    arguments = [application.servers, application.name, application.guarantee, str(state)]
    command = [program.java, *options, "-cp", program.classpath, "takeover.TakeOver", *arguments]

    def end(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()

    with _running(command, dict(os.environ), _log(application, "java"), end) as engine:
        yield engine


@contextmanager
def ours(application: Application) -> Iterator[Engine]:
    settings = {
        "ROLES": "streams",
        "TOPOLOGY": "tests.takeover.topology:take_over",
        "KAFKA__BOOTSTRAP_SERVERS": application.servers,
        "STREAMS__APPLICATION_ID": application.name,
        "STREAMS__GUARANTEE": application.guarantee,
        "STREAMS__COMMIT_INTERVAL_MS": "100",
        "STREAMS__STATE_DIR": str(application.home / "ours"),
        "STREAMS__ERRORS": "fail",
        "HTTP__PORT": "0",
        "LOG__FORMAT": "json",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    environ = kept | {f"APP_{name}": value for name, value in settings.items()}

    def end(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)

    with _running([sys.executable, "-m", "app"], environ, _log(application, "ours"), end) as engine:
        yield engine


@contextmanager
def _running(
    command: list[str], environ: dict[str, str], log: Path, end: Callable[[subprocess.Popen[bytes]], None]
) -> Iterator[Engine]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=ROOT, env=environ, start_new_session=True
        )
    with process:
        try:
            yield Engine(process, log, end)
        finally:
            process.kill()


def _log(application: Application, engine: str) -> Path:
    return application.home / f"{engine}-{time.monotonic_ns()}.log"
