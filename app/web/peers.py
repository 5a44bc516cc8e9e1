"""One question to another instance: one request, one connection, bounded in time and size."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

CONNECT_WITHIN = 1.0
ANSWER_WITHIN = 5.0
"""Seconds, from the request to the last byte."""
_LARGEST = 8 << 20
_CHUNK = 1 << 16


class PeerFailed(Exception):
    """No answer. is_late: it may be at work on it; otherwise it is not there."""

    def __init__(self, why: str, *, is_late: bool = False) -> None:
        self.is_late = is_late
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    status: int
    body: bytes


async def ask(address: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> PeerAnswer:
    """GET `target` (path and query, as they go over the wire) of `http://host:port`. Raises PeerFailed."""
    try:
        parts = urlsplit(address)
        host, port, authority = parts.hostname, parts.port or 80, parts.netloc.encode("ascii")
        (host or "").encode("idna")
    except ValueError as cause:
        raise PeerFailed(f"{address} is no address") from cause
    if parts.scheme != "http" or not host or parts.username is not None:
        raise PeerFailed(f"{address} is no address of the form http://host:port")
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError as cause:
        raise PeerFailed(f"{address} does not accept a connection within {CONNECT_WITHIN:g} s") from cause
    except OSError as cause:
        raise PeerFailed(f"{address} cannot be reached: {cause.strerror or cause}") from cause
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            return await _exchange(reader, writer, target, [(b"host", authority), *headers])
    except TimeoutError as cause:
        raise PeerFailed(f"{address} does not answer within {ANSWER_WITHIN:g} s", is_late=True) from cause
    except (OSError, h11.ProtocolError) as cause:
        raise PeerFailed(f"{address} broke off: {cause}") from cause
    finally:
        # All that was wanted has been read, and a peer that hangs must not hold us.
        writer.transport.abort()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: bytes, headers: list[tuple[bytes, bytes]]
) -> PeerAnswer:
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target=target, headers=[*headers, (b"connection", b"close")])
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()
    status, body = 0, bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_CHUNK))
            case h11.Response(status_code=status):
                pass
            case h11.Data(data=data):
                body += data
                if len(body) > _LARGEST:
                    raise PeerFailed(f"the answer is longer than {_LARGEST} bytes")
            case h11.EndOfMessage():
                return PeerAnswer(status, bytes(body))
            case h11.ConnectionClosed():
                raise h11.RemoteProtocolError("the connection ended before the answer")
