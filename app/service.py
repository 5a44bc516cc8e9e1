"""The composition root: opens what the roles need, runs them in one TaskGroup, ends them on a signal."""

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from app import __version__
from app.broker import Broker, embedded
from app.errors import ExitCode, cause_of
from app.kafka.clients import client_options, target
from app.kafka.closing import abandoned
from app.kafka.dead_letters import DeadLetters
from app.kafka.link import Link
from app.kafka.opening import group_consumer, idempotent_producer, rebalance_timeout_ms
from app.kafka.preparation import Preparation
from app.kafka.probe import reach
from app.kafka.publishing import Publication, Publisher
from app.kafka.receiving import Receiver, Subscription
from app.kafka.reopening import Reopening, reopening
from app.kafka.topics import ensure_topics
from app.log import flush
from app.loop import watch_lag
from app.output import Output, OutputClosed
from app.roles import Consumer, Producer, Schedule
from app.settings import Loaded, ProducerSettings, SettingsTree
from app.statistics import BrokerStatistics, ConsumerStatistics, ProducerStatistics, ServiceStatistics, State
from app.streams import Topology
from app.topologies import build
from app.web.advertising import own_address
from app.web.server import bind, serve, url
from app.worker.opening import open_worker
from app.worker.queries import Queries
from app.worker.worker import Worker

log = logging.getLogger(__name__)

Work = Coroutine[None, None, None]

STOP_WITHIN = 1.5
"""Seconds for the roles to finish what is under way, while Kafka answers; their clients' ends are bounded besides."""
CANCEL_WITHIN = 6.0
"""Seconds for everything else to end after that. The whole stays below ten."""
STALLED_LOOP = 10.0
"""Seconds of event loop lag from which on the process does not count as live."""


@dataclass(frozen=True, slots=True)
class SendingRole:
    name: str
    producer: Producer
    publisher: Publisher
    client: Reopening

    def statistics(self, topic: str, state: State) -> ProducerStatistics:
        producer = self.producer
        return ProducerStatistics(
            name=self.name,
            state="ended" if producer.ended else state,
            topic=topic,
            acknowledged=producer.confirmed,
            backlog=producer.backlog,
            last=producer.last,
            failures=self.publisher.failures,
        )


@dataclass(frozen=True, slots=True)
class ReceivingRole:
    name: str
    consumer: Consumer
    receiver: Receiver
    dead_letters: DeadLetters
    client: Reopening

    def statistics(self, subscription: Subscription, state: State) -> ConsumerStatistics:
        return ConsumerStatistics(
            name=self.name,
            state=state,
            topic=subscription.topic,
            group=subscription.group,
            printed=self.consumer.printed,
            dead_letters=self.consumer.reasons,
            commits=self.receiver.commits,
            rebalances=self.receiver.rebalances,
            partitions=self.receiver.partitions(),
            last=self.consumer.last,
        )


@dataclass(slots=True)
class Service:
    """What runs now, for whoever asks."""

    loaded: Loaded
    lag: Callable[[], float]
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    phase: str = "starting"
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    broker: Broker | None = None
    link: Link | None = None
    subscription: Subscription | None = None
    sending: list[SendingRole] = field(default_factory=list)
    receiving: list[ReceivingRole] = field(default_factory=list)
    worker: Worker | None = None
    queries: Queries | None = None

    @property
    def settings(self) -> SettingsTree:
        return self.loaded.settings

    @property
    def state(self) -> State:
        if self.stop.is_set():
            return "stopping"
        if self.link is None:
            return "starting"
        return "running" if self.link.up else "waiting"

    def statistics(self) -> ServiceStatistics:
        settings, link, subscription = self.settings, self.link, self.subscription
        lag = self.lag()
        return ServiceStatistics(
            version=__version__,
            run_id=self.run_id,
            uptime_s=time.monotonic() - self.started,
            loop_lag_s=lag,
            roles=settings.roles,
            broker=BrokerStatistics(
                address=link.address if link else "",
                embedded=settings.kafka.bootstrap_servers is None,
                connected=bool(link and link.up),
                log=str(self.broker.log) if self.broker else None,
            ),
            producers=tuple(role.statistics(settings.kafka.topic, self.state) for role in self.sending),
            consumers=tuple(role.statistics(subscription, self.state) for role in self.receiving if subscription),
            streams=self.worker.statistics() if self.worker else None,
            not_live=tuple(self._not_live(lag)),
            not_ready=tuple(self._not_ready()),
        )

    def _not_live(self, lag: float) -> Iterator[str]:
        if lag > STALLED_LOOP:
            yield f"the event loop was held for {lag:.0f} s"
        for sender in self.sending:
            yield from (f"{sender.name}: the client's {task} has died" for task in sender.client.dead)
        for receiver in self.receiving:
            yield from (f"{receiver.name}: the client's {task} has died" for task in receiver.receiver.dead)
            yield from (f"{receiver.name}: the dead letters' {task} has died" for task in receiver.client.dead)

    def _not_ready(self) -> Iterator[str]:
        if self.stop.is_set():
            yield "stopping"
        if self.link is None:
            yield self.phase
            return
        if not self.link.up:
            yield f"waiting for Kafka at {self.link.address}: {self.link.why}"
        for sender in self.sending:
            if not sender.client.started and not sender.producer.ended:
                yield f"{sender.name} is not connected"
            if sender.publisher.blocked:
                yield f"{sender.name}: {sender.publisher.blocked}"
        for role in self.receiving:
            if not role.receiver.assigned:
                yield f"{role.name} has not been given its partitions yet"
            yield from (f"{role.name}: {why}" for why in (role.receiver.blocked, role.dead_letters.blocked) if why)
        if self.worker is not None:
            yield from self.worker.not_ready()


async def run(loaded: Loaded, *, fresh: bool) -> ExitCode:
    """Until a signal, the end of every role, or a fault. Raises ServiceError."""
    with watch_lag() as lag:
        service = Service(loaded, lag)
        with _stop_on_signals(service.stop):
            running = asyncio.ensure_future(_run(service, fresh=fresh))
            stopping = asyncio.ensure_future(service.stop.wait())
            try:
                await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                # Nothing is under way that could end well while Kafka is away, or before it was there.
                if not running.done() and service.link is not None and service.link.up:
                    await asyncio.wait({running}, timeout=STOP_WITHIN)
                running.cancel()
                await asyncio.wait({running}, timeout=CANCEL_WITHIN)
            finally:
                stopping.cancel()
            return _outcome(running)


def _outcome(running: asyncio.Future[None]) -> ExitCode:
    if not running.done():
        log.warning("some clients did not end in time; leaving without them")
        _leave(ExitCode.OK)
    if not running.cancelled():
        error = running.exception()
        if error is not None and not isinstance(error, OutputClosed):
            raise error
    if abandoned():
        log.debug("%d clients still wait for Kafka; leaving without them", abandoned())
        _leave(ExitCode.OK)
    return ExitCode.OK


def _leave(code: ExitCode) -> None:
    """Ends the process without asking its tasks and threads, some of which would never answer."""
    flush(0.2)
    os._exit(code)


@contextmanager
def _stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks for the end, the second one takes it."""
    loop = asyncio.get_running_loop()

    def on_signal(name: str) -> None:
        if stop.is_set():
            _leave(ExitCode.INTERRUPTED)
        log.info("%s: stopping", name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _run(service: Service, *, fresh: bool) -> None:
    http = service.settings.http
    topology = build(service.settings) if "streams" in service.settings.roles else None
    socket = bind(http, port_was_set=service.loaded.was_set("http.port"))
    log.info("the page is at %s", url(socket))
    known = service.settings.kafka.bootstrap_servers
    address = http.advertised or own_address(socket, known[0] if known else None)
    token = http.token.get_secret_value() if http.token else None
    async with (
        serve(
            socket,
            service.statistics,
            (http.host, *http.allowed_hosts, urlsplit(address).hostname or ""),
            streams=lambda: service.queries,
            token=token,
        ),
        _kafka(service, fresh=fresh) as servers,
    ):
        await _run_roles(service, servers, topology, address)


@asynccontextmanager
async def _kafka(service: Service, *, fresh: bool) -> AsyncIterator[Sequence[str]]:
    """The addresses: those that were set, or that of the private broker, for as long as the roles run."""
    settings = service.settings
    if settings.kafka.bootstrap_servers is not None:
        yield settings.kafka.bootstrap_servers
        return

    def say(step: str) -> None:
        service.phase = step
        log.info("%s", step)

    async with embedded(settings.broker, fresh=fresh, say=say) as broker:
        service.broker = broker
        yield (broker.address,)


async def _run_roles(service: Service, servers: Sequence[str], topology: Topology | None, address: str | None) -> None:
    settings, token_file = service.settings, service.loaded.files.get("kafka.oauth_token")
    options = client_options(settings.kafka, servers, token_file)
    link = Link(", ".join(servers), partial(reach, settings.kafka, servers, token_file))
    prepare = Preparation(partial(ensure_topics, settings, servers, token_file))
    open_producer = partial(idempotent_producer, options)
    async with AsyncExitStack() as stack:
        roles: list[Work] = []
        for name, numbers in (("a", settings.a), ("b", settings.b)):
            if name in settings.roles:
                client = await stack.enter_async_context(reopening(open_producer, prepare, link))
                sender = _sending(name.upper(), numbers, service, client)
                service.sending.append(sender)
                roles.append(sender.producer.run(service.stop))
        if "c" in settings.roles:
            client = await stack.enter_async_context(reopening(open_producer, prepare, link))
            service.subscription = subscription = Subscription(
                topic=settings.kafka.topic,
                group=settings.c.group_id,
                max_records=settings.c.max_records,
                revoke_within=rebalance_timeout_ms(options) / 1000 / 2,
            )
            open_consumer = partial(group_consumer, options, settings.kafka.topic, settings.c)
            receiver = Receiver(subscription, open_consumer, prepare, link)
            letters = DeadLetters(settings.dead_letter_topic, client)
            role = ReceivingRole("C", Consumer(letters.reject, Output().show), receiver, letters, client)
            service.receiving.append(role)
            roles.append(_consume(role, service.stop))
        if topology is not None:
            where = target(settings.kafka, tuple(servers), token_file)
            service.worker = open_worker(settings, topology, where, prepare, link, address)
            service.queries = Queries(service.worker)
            roles.append(service.worker.run(service.stop))
        service.link = link
        watches = [link.watch(), *([service.broker.died()] if service.broker else [])]
        await _together(watches, roles)


def _sending(name: str, numbers: ProducerSettings, service: Service, client: Reopening) -> SendingRole:
    schedule = Schedule(numbers.first, numbers.interval, numbers.count)
    publisher = Publisher(Publication(name, service.settings.kafka.topic, service.run_id.encode()), client)
    return SendingRole(name, Producer(schedule, publisher.publish), publisher, client)


async def _consume(role: ReceivingRole, stop: asyncio.Event) -> None:
    async with aclosing(role.receiver.batches(stop)) as batches:
        await role.consumer.run(batches)


async def _together(watches: Sequence[Work], roles: Sequence[Work]) -> None:
    """Every role until all have ended; the first that fails, or a watch that does, ends the others."""
    try:
        async with asyncio.TaskGroup() as watching:
            watchers = [watching.create_task(watch) for watch in watches]
            async with asyncio.TaskGroup() as working:
                for role in roles:
                    working.create_task(role)
            for watcher in watchers:
                watcher.cancel()
    except BaseExceptionGroup as group:
        raise cause_of(group, OutputClosed) from group
