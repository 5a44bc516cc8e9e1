"""The connection, step by step: quickly and again and again for the service, thoroughly for `check`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.kafka import faults
from app.kafka.clients import Target, target
from app.kafka.cluster import Cluster, describe
from app.kafka.connecting import NoneAnswers, connect, connect_any
from app.kafka.connection import Broken, Connection
from app.kafka.faults import SERVERS, Fault, Step, StepFailed
from app.kafka.permissions import topic_needs
from app.kafka.report import Report, Result, failed, passed
from app.kafka.rights import permission_results, topic_results
from app.kafka.streams_rights import stream_results
from app.settings.model import KafkaSettings, SettingsTree
from app.streams.topology.topology import Topology

MOST_BROKERS = 32
"""Advertised addresses that are tried; of a larger cluster the first ones."""


async def reach(settings: KafkaSettings, servers: Sequence[str], token_file: Path | None = None) -> None:
    """A connection of its own up to the metadata, and one to some broker at the address that it advertises.

    Raises BrokerUnavailable, NoPermission or ConfigError; the line names the step.
    """
    wanted = target(settings, tuple(servers), token_file)
    try:
        async with connect_any(wanted) as connection:
            cluster = await _metadata(wanted, connection)
            unreachable = await _unreachable(wanted, connection, cluster)
    except NoneAnswers as error:
        raise error.as_error() from error
    except StepFailed as error:
        raise error.fault.error() from error
    if len(unreachable) == len(cluster.brokers):
        raise unreachable[0].error()


async def probe(
    tree: SettingsTree, servers: Sequence[str], token_file: Path | None = None, topology: Topology | None = None
) -> Report:
    """`topology`: of the role `streams`, where that is among the roles. Raises ConfigError where the settings allow no
    attempt."""
    wanted = target(tree.kafka, tuple(servers), token_file)
    attempts = await asyncio.gather(*(_attempt(wanted, server) for server in servers))
    usable = [server for server, results in zip(servers, attempts, strict=True) if results[-1].outcome == "passed"]
    results = [result for attempt in attempts for result in attempt]
    if usable:
        # One server that works is enough for the clients; the others are worth a remark.
        results = [_lenient(result) for result in results]
        results += await _look_around(wanted, usable[0], tree, topology)
    return Report(tuple(servers), tuple(results))


async def _attempt(wanted: Target, server: str) -> list[Result]:
    """From the name to the login."""
    results: list[Result] = []
    try:
        async with connect(wanted, server, lambda step, seen: results.append(passed(step, server, seen))):
            return results
    except StepFailed as error:
        # TLS 1.3 shows only later that the handshake was not taken.
        return [result for result in results if result.step != error.fault.step] + [failed(server, error.fault)]


def _lenient(result: Result) -> Result:
    return replace(result, outcome="remarked") if result.outcome == "failed" else result


async def _look_around(wanted: Target, server: str, tree: SettingsTree, topology: Topology | None) -> list[Result]:
    """From the metadata to the permissions."""
    results: list[Result] = []
    step = Step.METADATA
    try:
        async with connect(wanted, server) as connection:
            cluster = await _metadata(wanted, connection, [need.name for need in topic_needs(tree)])
            results += [failed(server, fault) for fault in await _unreachable(wanted, connection, cluster)]
            if results:
                return results
            results.append(passed(Step.METADATA, server, _cluster_words(cluster)))
            step = Step.TOPIC
            async for result in topic_results(connection, tree, cluster):
                results.append(result)
            step = Step.PERMISSIONS
            async for result in permission_results(connection, tree, cluster):
                results.append(result)
            if topology is not None:
                async for result in stream_results(connection, tree, topology):
                    results.append(result)
    except StepFailed as error:
        results.append(failed(server, error.fault))
    except Broken as error:
        results.append(failed(server, faults.closed_during(step, error, wanted.settings)))
    return results


def _cluster_words(cluster: Cluster) -> str:
    count = len(cluster.brokers)
    brokers = "1 broker, reachable" if count == 1 else f"{count} brokers, all reachable"
    return f"cluster {faults.printable(cluster.id or 'without an id')}, {brokers}"


async def _metadata(wanted: Target, connection: Connection, topics: Sequence[str] = ()) -> Cluster:
    try:
        cluster = await describe(connection, list(topics))
    except Broken as error:
        fault = faults.closed_during(Step.METADATA, error, wanted.settings)
        raise StepFailed(connection.server, fault) from error
    if not cluster.brokers:
        raise StepFailed(
            connection.server, Fault(Step.METADATA, "no-brokers", "the cluster names no broker", (SERVERS,))
        )
    return cluster


async def _unreachable(wanted: Target, connection: Connection, cluster: Cluster) -> list[Fault]:
    """Clients use the addresses that the brokers advertise, whatever the bootstrap servers are."""
    others = [(node, server) for node, server in cluster.brokers.items() if server != connection.server]
    tried = await asyncio.gather(*(_dialled(wanted, node, server) for node, server in others[:MOST_BROKERS]))
    return [fault for fault in tried if fault is not None]


async def _dialled(wanted: Target, node: int, server: str) -> Fault | None:
    try:
        async with connect(wanted, server):
            return None
    except StepFailed as error:
        return faults.unreachable_broker(node, server, error.fault)
