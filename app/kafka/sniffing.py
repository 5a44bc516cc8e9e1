"""A second look at a port that did not speak what was expected: is it TLS, Kafka in the clear, or a web server?

Each look is a connection of its own that sends a greeting and no secret, and reads a few bytes.
"""

import asyncio
import ssl
from asyncio import IncompleteReadError
from collections.abc import Iterable

from app.kafka.dialing import Endpoint, dial
from app.kafka.faults import Evidence
from app.kafka.requests import API_VERSIONS

LOOK_S = 1.0


async def sniff(endpoints: list[Endpoint], host: str, candidates: Iterable[Evidence]) -> Evidence | None:
    """The first candidate that the port turns out to speak; takes about LOOK_S at most, whatever the port does."""
    order = list(candidates)
    found = await asyncio.gather(*(_speaks(endpoints, host, candidate) for candidate in order))
    return next((candidate for candidate, yes in zip(order, found, strict=True) if yes), None)


async def _speaks(endpoints: list[Endpoint], host: str, candidate: Evidence) -> bool:
    try:
        async with asyncio.timeout(LOOK_S):
            return await _LOOKS[candidate](endpoints, host)
    except (OSError, IncompleteReadError):
        return False


async def _speaks_tls(endpoints: list[Endpoint], host: str) -> bool:
    raw = await dial(endpoints)
    try:
        _, writer = await asyncio.open_connection(sock=raw, ssl=ssl.create_default_context(), server_hostname=host)
    except ssl.SSLError as error:
        # A certificate that we may not trust or an alert: whoever sends one speaks TLS.
        return isinstance(error, ssl.SSLCertVerificationError) or "ALERT" in (error.reason or "")
    writer.close()
    return True


async def _speaks_kafka(endpoints: list[Endpoint], host: str) -> bool:
    body = API_VERSIONS.encode(1, "look", ())
    answer = await _exchange(endpoints, len(body).to_bytes(4, "big") + body, 8)
    return answer[:2] == b"\0\0" and answer[4:] == b"\0\0\0\1"


async def _speaks_http(endpoints: list[Endpoint], host: str) -> bool:
    return await _exchange(endpoints, b"HEAD / HTTP/1.0\r\n\r\n", 5) == b"HTTP/"


async def _exchange(endpoints: list[Endpoint], greeting: bytes, size: int) -> bytes:
    reader, writer = await asyncio.open_connection(sock=await dial(endpoints))
    try:
        writer.write(greeting)
        return await reader.readexactly(size)
    finally:
        writer.close()


_LOOKS = {"tls": _speaks_tls, "kafka": _speaks_kafka, "http": _speaks_http}
