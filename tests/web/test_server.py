"""Over real sockets on the loopback."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from app.errors import ConfigError, ExitCode
from app.loop import run
from app.settings.model import HttpSettings
from app.web import bind, serve, url
from app.web import connection as limits
from tests.web.samples import WELL

DEADLINE_S = 10.0


def any_port(host: str = "127.0.0.1") -> socket.socket:
    return bind(HttpSettings(host=host, port=0), port_was_set=True)


@contextmanager
def taken(host: str = "127.0.0.1") -> Iterator[int]:
    with any_port(host) as listener:
        yield listener.getsockname()[1]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def connect(listener: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*listener.getsockname()[:2])


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), DEADLINE_S)
    except ConnectionError:
        return b""  # cut off with a reset: as good an end


async def test_it_serves_and_then_does_not() -> None:
    listener = any_port()
    address = url(listener)
    async with serve(listener, lambda: WELL), httpx.AsyncClient() as client:
        answer = await client.get(address)
        assert answer.status_code == 200
        assert "server" not in answer.headers
        assert (await client.get(address + "readyz")).text == "ok\n"
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(address)


def test_a_set_port_that_is_taken() -> None:
    with taken() as port, pytest.raises(ConfigError) as caught:
        bind(HttpSettings(port=port), port_was_set=True)
    assert str(caught.value) == (
        f"APP_HTTP__PORT: port {port} on 127.0.0.1 is already in use; choose another, or 0 for any free one"
    )
    assert caught.value.code == ExitCode.CONFIG


def test_a_default_port_that_is_taken_moves_on_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with taken() as port, caplog.at_level(logging.WARNING):
        with bind(HttpSettings(port=port), port_was_set=False) as listener:
            assert port < listener.getsockname()[1] <= port + 100
        assert "the default port is taken" in caplog.text


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_ipv6() -> None:
    listener = any_port("::1")
    assert url(listener).startswith("http://[::1]:")
    async with serve(listener, lambda: WELL), httpx.AsyncClient() as client:
        assert (await client.get(url(listener))).status_code == 200


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_every_address_means_ipv4_too() -> None:
    listener = any_port("::")
    port = listener.getsockname()[1]
    async with serve(listener, lambda: WELL), httpx.AsyncClient() as client:
        for host in ("127.0.0.1", "[::1]", "localhost"):
            assert (await client.get(f"http://{host}:{port}/")).status_code == 200


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_ours(host: str) -> None:
    with pytest.raises(ConfigError, match=r"^APP_HTTP__HOST: "):
        bind(HttpSettings(host=host, port=0), port_was_set=True)


def test_the_url_of_every_address_is_one_that_a_browser_can_open() -> None:
    with any_port("0.0.0.0") as listener:  # noqa: S104
        assert url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/"


async def test_signal_handlers_are_left_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serve(any_port(), lambda: WELL):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def stop_with_a_keep_alive_connection() -> None:
    listener = any_port()
    async with serve(listener, lambda: WELL):
        reader, writer = await connect(listener)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 2
    assert (await read_to_end(reader)).endswith(b"ok\n")
    writer.close()


async def stop_with_a_client_that_does_not_read() -> None:
    loop = asyncio.get_running_loop()
    listener = any_port()
    with closing(socket.socket()) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.setblocking(False)
        async with serve(listener, lambda: WELL):
            await loop.sock_connect(deaf, listener.getsockname())
            await send_until_stuck(deaf, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 100)
            assert open_connections()
            began = loop.time()
        assert loop.time() - began < 4
        async with asyncio.timeout(DEADLINE_S):
            while open_connections():  # noqa: ASYNC110 - nothing signals that the loop has closed a socket
                await asyncio.sleep(0)


@pytest.mark.parametrize("runner", [asyncio.run, run], ids=["asyncio", "uvloop"])
def test_an_answer_is_sent_at_once(runner: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        listener = any_port()
        async with serve(listener, lambda: WELL):
            reader, writer = await connect(listener)
            writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"ok\n")
            [connection] = open_connections()
            accepted = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()

    runner(main())


def open_connections() -> list[limits.Connection]:
    found = [each for each in gc.get_objects() if isinstance(each, limits.Connection)]
    return [each for each in found if each.transport.get_extra_info("socket").fileno() != -1]


@pytest.mark.parametrize("runner", [asyncio.run, run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("main", [stop_with_a_keep_alive_connection, stop_with_a_client_that_does_not_read])
def test_no_client_holds_the_stop(
    runner: Callable[[Coroutine[Any, Any, None]], None], main: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    runner(main())


async def send_until_stuck(deaf: socket.socket, requests: bytes) -> None:
    """Until the answers, which nobody reads, fill every buffer and the server stops to read."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            await asyncio.wait_for(loop.sock_sendall(deaf, requests), 0.5)
    except TimeoutError:
        return


async def test_an_exception_passes_through_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serve(any_port(), lambda: WELL):
            raise ZeroDivisionError


async def test_a_slow_head_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_TIMEOUT_S", 0.05)
    listener = any_port()
    async with serve(listener, lambda: WELL):
        reader, writer = await connect(listener)
        writer.write(b"GET / HTTP/1.1\r\n")
        assert await read_to_end(reader) == b""
        writer.close()


async def test_a_slow_second_head_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_TIMEOUT_S", 0.2)
    listener = any_port()
    async with serve(listener, lambda: WELL):
        reader, writer = await connect(listener)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"ok\n")
        writer.write(b"GET / HT")
        assert await read_to_end(reader) == b""
        writer.close()


async def test_idle_connections_cannot_keep_a_probe_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CONNECTIONS", 5)
    listener = any_port()
    async with serve(listener, lambda: WELL):
        idle = [await connect(listener) for _ in range(20)]
        async with httpx.AsyncClient() as client:
            assert (await client.get(url(listener) + "livez")).status_code == 200
        assert await read_to_end(idle[0][0]) == b""
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no host
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"421"),
        (b"GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\n\r\n", b"404"),
        (b"GET /static/../server.py HTTP/1.1\r\nhost: localhost\r\n\r\n", b"404"),
        (b"GET /static/%2e%2e/server.py HTTP/1.1\r\nhost: localhost\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 12_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 80_000, b"400"),
        (b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999999999\r\n\r\nxx", b"405"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", b"200"),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),  # TLS
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
async def test_odd_requests(request_: bytes, status: bytes) -> None:
    listener = any_port()
    async with serve(listener, lambda: WELL):
        reader, writer = await connect(listener)
        writer.write(request_)
        line = await asyncio.wait_for(reader.readline(), DEADLINE_S)
        assert line.split(b" ")[:2] == [b"HTTP/1.1", status]
        writer.close()


def test_a_port_without_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigError, match=r"^APP_HTTP__PORT: no permission to listen on port 80;"):
        bind(HttpSettings(port=80), port_was_set=True)
