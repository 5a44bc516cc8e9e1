"""The service as a process of its own, and what its HTTP side says."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from tests.faults.lives import Life, living


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def wait_until(what: str, holds: Callable[[], bool], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.05)


def listens(port: int) -> bool:
    try:
        return bool(get(port, "/livez")[0])
    except OSError:
        return False


def is_ready(port: int) -> bool:
    try:
        return get(port, "/readyz")[0] == 200
    except OSError:
        return False


@contextmanager
def service(folder: Path, settings: Mapping[str, str]) -> Iterator[tuple[Life, int]]:
    """Once it listens, on a port that was free a moment before; another is taken if somebody was faster."""
    with ExitStack() as stack:
        while True:
            port = free_port()
            life = stack.enter_context(living(folder, {**settings, "APP_HTTP__PORT": str(port)}))
            wait_until("it listens", partial(_listens_or_ended, life, port))
            if life.process.poll() is None:
                break
            log = life.log.read_text()
            assert "is already in use" in log, log
        yield life, port


def _listens_or_ended(life: Life, port: int) -> bool:
    return life.process.poll() is not None or listens(port)
