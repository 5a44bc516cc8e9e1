"""`python -m app health [--ready]`: asks the service on this machine how it is, for container probes.

A probe runs every few seconds beside the service, so it must cost little: nothing is imported here that takes time, and
the two variables are read without the settings tree. One line either way, and exit code 0 or 69.
"""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence

from app.errors import BrokerUnavailable, ConfigError, ExitCode, UsageError

_TIMEOUT_S = 3.0
_LONGEST_ANSWER = 65_536
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not listened on
_FLAGS = {"--http-host": "APP_HTTP__HOST", "--http-port": "APP_HTTP__PORT"}


def run(environ: Mapping[str, str], flags: Sequence[str] = (), *, ready: bool = False) -> int:
    """Raises BrokerUnavailable if the service is not well, or not there."""
    host, port = _address({**environ, **dict(_given(flags))})
    word = "ready" if ready else "live"
    status, body = ask(host, port, f"/{word}z?verbose")
    if status == 503:
        raise BrokerUnavailable(f"not {word}: {_reasons(body)}")
    if status != 200:
        raise BrokerUnavailable(f"not {word}: what answers at {host}:{port} is not this service (status {status})")
    print(word)
    return ExitCode.OK


def _given(flags: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = iter(flags)
    for word in rest:
        flag, separator, value = word.partition("=")
        if flag not in _FLAGS:
            raise UsageError(f"{flag[:40]!r}: not a flag of health", try_next=f"it takes --ready, {', '.join(_FLAGS)}")
        given = value if separator else next(rest, None)
        if given is None:
            raise UsageError(f"{flag}: needs a value")
        yield _FLAGS[flag], given


def _address(environ: Mapping[str, str]) -> tuple[str, int]:
    host = environ.get("APP_HTTP__HOST", "127.0.0.1").strip().removeprefix("[").removesuffix("]")
    given = environ.get("APP_HTTP__PORT", "8080").strip()
    if not (given.isascii() and given.isdigit() and len(given) <= 5 and int(given) <= 65_535):
        raise ConfigError(f"APP_HTTP__PORT: must be a number from 0 to 65535 (got {given[:40]!r})")
    if int(given) == 0:
        raise ConfigError("APP_HTTP__PORT: is 0, so nobody but the service knows its port", try_next="set one")
    return _LOOPBACK.get(host, host), int(given)


def ask(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET. Raises BrokerUnavailable if there is no answer in HTTP within a few seconds."""
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
            request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            connection.sendall(request.encode("ascii"))
            answer = _read(connection, deadline)
    except (OSError, UnicodeError) as error:
        # UnicodeError: a host name that cannot be one.
        raise BrokerUnavailable(f"no answer: nothing answers at {host}:{port} ({_reason(error)})") from error
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise BrokerUnavailable(f"what answers at {host}:{port} does not speak HTTP")
    return int(words[1]), body


def _read(connection: socket.socket, deadline: float) -> bytes:
    answer = bytearray()
    while len(answer) < _LONGEST_ANSWER:
        # Never 0, which would mean not to wait at all. One byte now and then must not keep us.
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = connection.recv(_LONGEST_ANSWER)
        if not chunk:
            break
        answer += chunk
    return bytes(answer)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {_TIMEOUT_S:g} s"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _reasons(body: bytes) -> str:
    import json  # noqa: PLC0415 - costs more than all the rest, and is needed only here

    try:
        reasons = json.loads(body)["reasons"]
        text = "; ".join(str(reason) for reason in reasons)
    except (ValueError, LookupError, TypeError):
        return "it does not say why"
    return "".join(sign if sign.isprintable() else "?" for sign in text)
