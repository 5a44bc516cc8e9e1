"""From a host name to a TCP connection."""

import asyncio
import socket
import time

from app.threads import abandonable

TIMEOUT_S = 2.0

Endpoint = tuple[socket.AddressFamily, str, int]


async def resolve(host: str, port: int, timeout: float = TIMEOUT_S) -> list[Endpoint]:
    """Every address of a host, in the system's order. Raises OSError (socket.gaierror, TimeoutError)."""
    async with asyncio.timeout(timeout):  # a name service may never answer
        found = await abandonable(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return [(family, str(where[0]), port) for family, _, _, _, where in found]


async def dial(endpoints: list[Endpoint], timeout: float = TIMEOUT_S) -> socket.socket:
    """A connection to the first address that takes one, within `timeout` seconds for all. Raises OSError."""
    until = time.monotonic() + timeout
    failures: list[OSError] = []
    for place, (family, host, port) in enumerate(endpoints):
        share = (until - time.monotonic()) / (len(endpoints) - place)
        try:
            return await _dial_one(family, host, port, max(share, 0.1))
        except OSError as error:
            failures.append(error)
    # A host that refuses is there: it says more than an address family without a route.
    refused = [error for error in failures if isinstance(error, ConnectionRefusedError)]
    raise (refused or failures)[0]


async def _dial_one(family: socket.AddressFamily, host: str, port: int, timeout: float) -> socket.socket:
    raw = socket.socket(family, socket.SOCK_STREAM)
    try:
        raw.setblocking(False)
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(raw, (host, port))
    except BaseException:
        raw.close()
        raise
    return raw
