"""A connection made step by step: DNS → TCP → TLS → ApiVersions → SASL, so that the step that falls has a name."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from app.errors import ExitCode, ServiceError
from app.kafka import faults
from app.kafka.addresses import split_address
from app.kafka.clients import Target
from app.kafka.connection import STEP_TIMEOUT_S, Broken, Connection, Streams
from app.kafka.dialing import Endpoint, dial, resolve
from app.kafka.faults import NotKafka, Step, StepFailed
from app.kafka.login import log_in
from app.kafka.requests import API_VERSIONS, Code
from app.kafka.sniffing import sniff
from app.kafka.versions import NEEDED, lacking

Seen = Callable[[Step, str], None]
"""Told of each step that succeeded, with what was seen."""


def _unseen(step: Step, what: str) -> None:
    """For callers that only want the connection."""


@asynccontextmanager
async def connect(target: Target, server: str, seen: Seen = _unseen) -> AsyncIterator[Connection]:
    """Logged in and ready for requests. Raises StepFailed."""
    endpoints = await locate(server, seen)
    streams = await _open(target, server, endpoints, seen)
    connection = Connection(server, streams, target.settings.client_id)
    try:
        await _greet(target, connection, endpoints, seen)
        if target.settings.security_protocol.startswith("SASL"):
            seen(Step.LOGIN, await log_in(target, connection))
        yield connection
    finally:
        await connection.close()


class NoneAnswers(Exception):
    """No bootstrap server could be used; `failures` has the step that fell for each."""

    def __init__(self, failures: Sequence[StepFailed]) -> None:
        super().__init__("; ".join(map(str, failures)))
        self.failures = tuple(failures)

    def as_error(self) -> ServiceError:
        """One line. Where one of several servers may come back, so may the service."""
        waitable = [failure for failure in self.failures if failure.fault.code is ExitCode.UNAVAILABLE]
        first = (waitable or self.failures)[0]
        if len({failure.fault.line for failure in self.failures}) == 1:
            return first.fault.error()
        return first.fault.error("; ".join(map(str, self.failures)))


@asynccontextmanager
async def connect_any(target: Target) -> AsyncIterator[Connection]:
    """The first bootstrap server that can be used, in the order in which they were set. Raises NoneAnswers."""
    failures: list[StepFailed] = []
    async with AsyncExitStack() as stack:
        for server in target.servers:
            try:
                connection = await stack.enter_async_context(connect(target, server))
            except StepFailed as error:
                failures.append(error)
            else:
                break
        else:
            raise NoneAnswers(failures)
        yield connection


async def locate(server: str, seen: Seen) -> list[Endpoint]:
    """Raises StepFailed."""
    try:
        host, port = split_address(server)
    except ValueError as error:
        raise StepFailed(server, faults.no_address(server)) from error
    try:
        endpoints = await resolve(host, port)
    except OSError as error:
        raise StepFailed(server, faults.dns_fault(host, error)) from error
    places = [place for _, place, _ in endpoints]
    seen(Step.DNS, f"{host} is an address" if places == [host] else f"{host} is {', '.join(places)}")
    return endpoints


async def _open(target: Target, server: str, endpoints: list[Endpoint], seen: Seen) -> Streams:
    try:
        raw = await dial(endpoints)
    except OSError as error:
        raise StepFailed(server, faults.tcp_fault(error)) from error
    seen(Step.TCP, f"connected to port {endpoints[0][2]}")
    context = target.ssl_context
    if context is None:
        return await asyncio.open_connection(sock=raw)
    host, _ = split_address(server)
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            streams = await asyncio.open_connection(sock=raw, ssl=context, server_hostname=host)
    except OSError as error:
        # A certificate says that it is TLS; anything else may be another protocol.
        verified = isinstance(error, ssl.SSLCertVerificationError)
        evidence = None if verified else await sniff(endpoints, host, ("kafka", "http"))
        raise StepFailed(server, faults.tls_fault(error, target.settings, evidence)) from error
    seen(Step.TLS, _session(streams[1]))
    return streams


def _session(writer: asyncio.StreamWriter) -> str:
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate = secured.getpeercert() or {}
    return f"{secured.version()}, certificate valid until {certificate.get('notAfter', 'an unknown time')}"


async def _greet(target: Target, connection: Connection, endpoints: list[Endpoint], seen: Seen) -> None:
    try:
        answer = await connection.ask(API_VERSIONS)
    except Broken as error:
        secure = target.ssl_context is not None
        host, _ = split_address(connection.server)
        evidence = None if secure else await sniff(endpoints, host, ("tls", "http"))
        raise StepFailed(connection.server, faults.versions_fault(error, target.settings, evidence)) from error
    connection.versions = {
        entry["api_key"]: (entry["min_version"], entry["max_version"]) for entry in answer["api_keys"]
    }
    if answer["error_code"] != Code.NONE:
        raise StepFailed(connection.server, faults.versions_fault(NotKafka(http=False), target.settings, None))
    if (lack := lacking(connection.versions, NEEDED)) is not None:
        spoken, offered = lack
        fault = faults.versions_mismatch(spoken.name, (spoken.lowest, spoken.highest), offered)
        raise StepFailed(connection.server, fault)
    seen(Step.VERSIONS, f"a Kafka that takes {len(connection.versions)} kinds of request")
