"""`python -m app health` against a served application and against what is not one."""

import asyncio
import subprocess
import sys
from contextlib import closing
from socket import socket

import pytest

from app.commands.health import run
from app.errors import BrokerUnavailable, ConfigError, UsageError
from app.settings.model import HttpSettings
from app.statistics import ServiceStatistics
from app.web import bind, serve
from tests.web.samples import WELL, unwell


def at(listener: socket, host: str = "127.0.0.1") -> dict[str, str]:
    return {"APP_HTTP__HOST": host, "APP_HTTP__PORT": str(listener.getsockname()[1])}


async def asked(statistics: ServiceStatistics, *, ready: bool, host: str = "127.0.0.1") -> int:
    listener = bind(HttpSettings(port=0), port_was_set=True)
    environ = at(listener, host)
    async with serve(listener, lambda: statistics):
        return await asyncio.to_thread(run, environ, ready=ready)


@pytest.mark.parametrize(("ready", "word"), [(False, "live\n"), (True, "ready\n")])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "", "localhost"])  # noqa: S104
async def test_well(ready: bool, word: str, host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asked(WELL, ready=ready, host=host) == 0
    assert capsys.readouterr().out == word


async def test_unwell() -> None:
    with pytest.raises(BrokerUnavailable) as caught:
        await asked(unwell(), ready=False)
    assert (str(caught.value), caught.value.code) == ("not live: a task died", 69)
    with pytest.raises(BrokerUnavailable, match=r"^not ready: waiting for Kafka; nothing assigned$"):
        await asked(unwell(), ready=True)


def test_nobody_there() -> None:
    with bind(HttpSettings(port=0), port_was_set=True) as listener:
        environ = at(listener)
    with pytest.raises(
        BrokerUnavailable, match=r"^no answer: nothing answers at 127.0.0.1:[0-9]+ .Connection refused.$"
    ):
        run(environ)


async def answered(answer: bytes) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        await asyncio.to_thread(run, at(server.sockets[0]))


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (b"", "does not speak HTTP"),
        (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "status 404"),
        (b"HTTP/1.1 503 No\r\n\r\n<html>", "not live: it does not say why"),
        (b'HTTP/1.1 503 No\r\n\r\n{"reasons": ["a\\u001b[31mb"]}', r"not live: a\?\[31mb$"),
        (b"HTTP/1.1 503 No\r\n\r\n[]", "not live: it does not say why"),
    ],
)
async def test_something_else_there(answer: bytes, line: str) -> None:
    with pytest.raises(BrokerUnavailable, match=line):
        await answered(answer)


@pytest.mark.parametrize("port", ["", "x", "-1", "65536", "٣", "9" * 5000, "0"])
def test_a_wrong_port(port: str) -> None:
    with pytest.raises(ConfigError, match=r"^APP_HTTP__PORT: ") as caught:
        run({"APP_HTTP__PORT": port})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("flags", [("--http-port",), ("--no-such",), ("word",)])
def test_a_wrong_flag(flags: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        run({}, flags)


@pytest.mark.parametrize("flags", [("--http-port", "{}"), ("--http-port={}",)])
def test_a_flag_goes_before_the_environment(flags: tuple[str, ...]) -> None:
    with closing(bind(HttpSettings(port=0), port_was_set=True)) as listener:
        port = at(listener)["APP_HTTP__PORT"]
    with pytest.raises(BrokerUnavailable, match=f":{port} "):
        run({"APP_HTTP__PORT": "1"}, [flag.format(port) for flag in flags])


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, app.commands.health; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pydantic", "starlette", "structlog", "asyncio", "aiokafka", "uvicorn", "ssl", "http", "json", "logging"}
    assert heavy.isdisjoint(loaded)
