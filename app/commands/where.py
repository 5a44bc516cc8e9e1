"""The Kafka that a command is about: the one that was set, or the private one that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.broker.home import Home
from app.broker.seats import Deserted, join
from app.broker.starting import home_of
from app.errors import BrokerUnavailable
from app.settings import SettingsTree

LEAVE_WITHIN_S = 2.0


@asynccontextmanager
async def kafka_servers(settings: SettingsTree) -> AsyncIterator[tuple[str, ...]]:
    """A private Kafka is kept running meanwhile; none is started. Raises BrokerUnavailable."""
    if settings.kafka.bootstrap_servers is not None:
        yield settings.kafka.bootstrap_servers
        return
    try:
        seat = await join(Home(home_of(settings.broker)))
    except Deserted:
        seat = None
    if seat is None:
        raise BrokerUnavailable(
            "no Kafka: APP_KAFKA__BOOTSTRAP_SERVERS is not set, and the private one does not run",
            try_next="set it to host:port of yours, or start the private one with python -m app broker",
        )
    try:
        yield (seat.address,)
    finally:
        await seat.leave(LEAVE_WITHIN_S)
