"""Requests to one broker over one connection, every wait and every size bounded.

aiokafka's own connection reads a frame of any size that the far side announces: a web server's "HTTP" is one of 1.2 GB.
"""

import asyncio
from asyncio import IncompleteReadError
from contextlib import suppress

from app.kafka.faults import NotKafka
from app.kafka.requests import Answer, Api

STEP_TIMEOUT_S = 2.0
LARGEST_FRAME = 16 << 20

Broken = (OSError, IncompleteReadError, ValueError)
"""What `Connection.ask` raises when the far side is gone, silent, or not what it should be."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """Requests and their answers, one at a time."""

    def __init__(self, server: str, streams: Streams, client_id: str) -> None:
        self.server = server
        self.versions: dict[int, tuple[int, int]] = {}
        """Request key → lowest and highest version that the broker takes."""
        self._reader, self._writer = streams
        self._client_id = client_id
        self._correlation = 0

    def takes(self, api: Api) -> bool:
        lowest, highest = self.versions.get(api.key, (0, -1))
        return lowest <= api.version <= highest

    async def ask(self, api: Api, *values: object, timeout: float = STEP_TIMEOUT_S) -> Answer:
        """Raises OSError (TimeoutError, ssl.SSLError), IncompleteReadError or ValueError (NotKafka)."""
        self._correlation += 1
        body = api.encode(self._correlation, self._client_id, values)
        async with asyncio.timeout(timeout):
            self._writer.write(len(body).to_bytes(4, "big") + body)
            await self._writer.drain()
            size = await self._reader.readexactly(4)
            if size == b"HTTP":
                raise NotKafka(http=True)
            length = int.from_bytes(size, "big", signed=True)
            if not 4 <= length <= LARGEST_FRAME:
                raise NotKafka(http=False)
            answer = await self._reader.readexactly(length)
        if int.from_bytes(answer[:4], "big") != self._correlation:
            raise NotKafka(http=False)
        return api.decode(answer[4:])

    async def close(self) -> None:
        self._writer.close()
        # A far side that does not answer our goodbye is not waited for, and its last words change nothing.
        with suppress(OSError):
            async with asyncio.timeout(0.5):
                await self._writer.wait_closed()
