"""uvicorn's HTTP/1.1 connection with the two limits that it lacks: time for a head, and a number of connections."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_TIMEOUT_S = 10.0
MOST_CONNECTIONS = 128


class Connection(H11Protocol):
    """Closes if a request's head takes longer than `HEAD_TIMEOUT_S`. Above `MOST_CONNECTIONS` the one that has waited
    longest for a head makes room, so that idle connections cannot keep a probe out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [each for each in self.connections if isinstance(each, Connection) and each.deadline]
            min(waiting, key=_deadline).transport.abort()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._head_arrived()
        elif self.deadline is None and not self._answers():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def _answers(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first head, whatever uvicorn declares
        return cycle is not None and not cycle.response_complete

    def _await_head(self) -> None:
        self.deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _head_arrived(self) -> None:
        if self.deadline:
            self.deadline.cancel()
            self.deadline = None


def _deadline(connection: Connection) -> float:
    return connection.deadline.when() if connection.deadline else float("inf")
