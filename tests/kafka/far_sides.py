"""Far sides that are not a good Kafka: small servers, each with one fault."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from app.kafka.requests import API_VERSIONS, METADATA, Api
from app.kafka.versions import NEEDED

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Versions = Mapping[int, tuple[int, int]]

GOOD: Versions = {spoken.key: (spoken.lowest, spoken.highest) for spoken in NEEDED} | {18: (0, 0)}


@contextmanager
def dead_port() -> Iterator[str]:
    """host:port where nothing listens, and nothing else can come to listen meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """host:port of a server on loopback."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"220 mail.example ESMTP ready\r\n" * 10)
    await reader.read()


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As http.server: waits for a line, so that Kafka's bytes get no answer at all."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n")


async def eager_web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As nginx: answers anything at once."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await reader.read(1)


Answers = Mapping[Api, tuple[object, ...]]


def kafka(versions: Versions = GOOD, advertised: str = "", more: Answers | None = None, controller: int = 1) -> Handler:
    """A broker that takes these versions, whose cluster is one broker at `advertised` (host:port)."""
    host, _, port = advertised.rpartition(":")
    answers: dict[int, tuple[Api, tuple[object, ...]]] = {
        18: (API_VERSIONS, (0, [(key, *span) for key, span in versions.items()])),
        3: (METADATA, (0, [(1, host, int(port or 0), None)], "fake", controller, [])),
    } | {api.key: (api, values) for api, values in (more or {}).items()}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            api, values = answers[int.from_bytes(request[:2], "big")]
            body = request[4:8] + api.response.encode(values)
            writer.write(len(body).to_bytes(4, "big") + body)

    return handle
