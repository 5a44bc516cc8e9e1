"""Every way in which a connection fails, on real listeners: the step, the line, the exit code, and no secret."""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from app.commands.check import as_json, as_lines, redacted
from app.errors import BrokerUnavailable, ConfigError, ExitCode, NoPermission, ServiceError
from app.kafka.faults import Fault, Step
from app.kafka.probe import probe, reach
from app.kafka.report import Report
from app.kafka.requests import Operation
from app.loop import run
from app.settings import ConsumerSettings, KafkaSettings, SettingsTree
from tests.kafka import far_sides
from tests.kafka.certificates import Certificates
from tests.kafka.connection_cases import CASES, FAR_SIDES, SECRET, WAYS_IN, Case, login, tls
from tests.kafka.granting import allow, becomes, create_topic
from tests.kafka.listeners import USERS, Listeners

WITHIN_S = 5.0
"""From the command to the line, whatever the other side does; the aim is three."""


def address_of(listeners: Listeners, name: str) -> str:
    listener, _, host = name.partition("@")
    address = listeners.addresses[listener]
    return f"{host}:{address.rpartition(':')[2]}" if host else address


def settled(server: str, **settings: Any) -> SettingsTree:
    return SettingsTree(kafka=KafkaSettings(bootstrap_servers=(server,), **settings))


def outputs(report: Report, tree: SettingsTree) -> str:
    return redacted("\n".join([*as_lines(report, tree), str(as_json(report))]), tree)


def assert_secretless(text: str, tree: SettingsTree) -> None:
    for secret in (tree.kafka.sasl_password, tree.kafka.oauth_token):
        assert secret is None or secret.get_secret_value() not in text


async def told_to_the_service(tree: SettingsTree) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await reach(tree.kafka, tree.kafka.bootstrap_servers or ())
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_fault_has_its_line_and_its_code(case: Case, listeners: Listeners) -> None:
    server = address_of(listeners, case.listener)
    tree = settled(server, **case.settings(listeners.certificates))

    started = time.monotonic()
    report = await probe(tree, (server,))

    assert time.monotonic() - started < WITHIN_S
    assert [fault.line for fault in report.failures] == [case.line]
    assert report.code is case.code
    assert f"✗ {case.line}" in outputs(report, tree)
    assert_secretless(outputs(report, tree), tree)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_the_service_is_told_the_same(case: Case, listeners: Listeners) -> None:
    server = address_of(listeners, case.listener)

    error = await told_to_the_service(settled(server, **case.settings(listeners.certificates)))

    assert (str(error), error.code) == (case.line, case.code)


def test_uvloop_tells_the_same(listeners: Listeners) -> None:
    """The service runs on it; its errors of sockets and TLS are its own."""

    async def lines() -> dict[str, list[str]]:
        found = {}
        for case in CASES:
            server = address_of(listeners, case.listener)
            report = await probe(settled(server, **case.settings(listeners.certificates)), (server,))
            found[case.id] = [fault.line for fault in report.failures]
        return found

    assert run(lines()) == {case.id: [case.line] for case in CASES}


@pytest.mark.parametrize(
    ("handler", "settings", "line"), [case[1:] for case in FAR_SIDES], ids=[c[0] for c in FAR_SIDES]
)
async def test_what_is_no_usable_kafka(handler: far_sides.Handler, settings: dict[str, Any], line: str) -> None:
    async with far_sides.serving(handler) as server:
        tree = settled(server, **settings)
        started = time.monotonic()
        report, told = await asyncio.gather(probe(tree, (server,)), told_to_the_service(tree))

    assert time.monotonic() - started < WITHIN_S
    assert [fault.line for fault in report.failures] == [line]
    assert report.code is ExitCode.UNAVAILABLE
    assert (str(told), type(told)) == (line, BrokerUnavailable)


async def test_a_web_server_with_tls(certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.broker)
    async with far_sides.serving(far_sides.eager_web, context) as server:
        report = await probe(settled(server, **tls()(certificates)), (server,))

    assert [fault.line for fault in report.failures] == [
        "ApiVersions failed: a web server answers there, not a Kafka; look at APP_KAFKA__BOOTSTRAP_SERVERS"
    ]


async def test_an_advertised_address_where_nobody_listens() -> None:
    with far_sides.dead_port() as dead:
        async with far_sides.serving(far_sides.kafka(advertised=dead)) as server:
            report = await probe(settled(server), (server,))

    (fault,) = report.failures
    assert fault.line == (
        f"metadata failed: broker 1 tells its clients to use {dead}, where TCP failed: refused, nothing listens there; "
        "look at APP_KAFKA__BOOTSTRAP_SERVERS; the broker's advertised.listeners must be reachable from here"
    )


async def test_refused_and_no_such_host() -> None:
    with far_sides.dead_port() as dead:
        refused = await probe(settled(dead), (dead,))
    unknown = await probe(settled("no-such-host.invalid:9092"), ("no-such-host.invalid:9092",))

    assert [fault.line for fault in refused.failures + unknown.failures] == [
        "TCP failed: refused, nothing listens there; look at APP_KAFKA__BOOTSTRAP_SERVERS",
        "DNS failed: no such host: no-such-host.invalid; look at APP_KAFKA__BOOTSTRAP_SERVERS",
    ]
    assert (refused.code, unknown.code) == (ExitCode.UNAVAILABLE, ExitCode.UNAVAILABLE)


async def test_one_server_that_works_is_enough(listeners: Listeners) -> None:
    server = listeners.addresses["PLAINTEXT"]
    with far_sides.dead_port() as dead:
        report = await probe(settled(server), (dead, server))
        await reach(settled(server).kafka, (dead, server))

    assert report.code is ExitCode.OK
    assert [result.seen for result in report.results if result.outcome == "remarked"] == [
        "TCP failed: refused, nothing listens there; look at APP_KAFKA__BOOTSTRAP_SERVERS"
    ]


async def test_two_servers_that_fail_are_both_named() -> None:
    async with AsyncExitStack() as stack:
        dead = stack.enter_context(far_sides.dead_port())
        web = await stack.enter_async_context(far_sides.serving(far_sides.eager_web))
        with pytest.raises(BrokerUnavailable) as caught:
            await reach(settled(dead).kafka, (dead, web))

    assert str(caught.value) == (
        f"{dead}: TCP failed: refused, nothing listens there; look at APP_KAFKA__BOOTSTRAP_SERVERS; "
        f"{web}: ApiVersions failed: a web server answers there, not a Kafka; look at APP_KAFKA__BOOTSTRAP_SERVERS"
    )


@pytest.mark.parametrize(("listener", "settings"), WAYS_IN, ids=[f"{name}-{i}" for i, (name, _) in enumerate(WAYS_IN)])
async def test_every_way_in(
    listener: str, settings: Callable[[Certificates], dict[str, Any]], listeners: Listeners
) -> None:
    server = address_of(listeners, listener)
    chosen = settings(listeners.certificates)
    tree = settled(server, **chosen)

    await reach(tree.kafka, (server,))
    report = await probe(tree, (server,))

    steps = {result.step for result in report.results if result.outcome == "passed"}
    assert {Step.DNS, Step.TCP, Step.VERSIONS, Step.METADATA} <= steps
    assert (Step.TLS in steps) == tree.kafka.security_protocol.endswith("SSL")
    assert (Step.LOGIN in steps) == tree.kafka.security_protocol.startswith("SASL")
    # The client with a certificate is a stranger to the ACLs.
    assert report.code is (ExitCode.NO_PERMISSION if listener == "MTLS" else ExitCode.OK)


def as_user(user: str, server: str, topic: str, **more: Any) -> SettingsTree:
    return SettingsTree(
        kafka=KafkaSettings(
            bootstrap_servers=(server,),
            topic=topic,
            security_protocol="SASL_PLAINTEXT",
            sasl_username=user,
            sasl_password=USERS[user],
        ),
        c=ConsumerSettings(group_id=f"{topic}-group"),
        **more,
    )


async def faults_of(user: str, listeners: Listeners, topic: str, **more: Any) -> list[Fault]:
    server = listeners.addresses["LOGIN"]
    report = await probe(as_user(user, server, topic, **more), (server,))
    assert report.code is (ExitCode.NO_PERMISSION if report.failures else ExitCode.OK)
    return list(report.failures)


GRANT = "grant it: kafka-acls.sh --add --allow-principal 'User:alice'"


async def test_each_missing_permission_has_its_command(listeners: Listeners) -> None:
    """Granting what was asked for, one after the other, ends with a check that passes."""
    plain, topic = listeners.addresses["PLAINTEXT"], "guarded"

    async def lines() -> list[str]:
        return [fault.line for fault in await faults_of("alice", listeners, topic)]

    async def settles(wanted: list[str]) -> None:
        assert await becomes(lines, wanted) == wanted

    idempotent = (
        f"permissions failed: no permission for idempotent writes, which the right to write to {topic} or {topic}.dlq "
        f"would bring; {GRANT} --operation IdempotentWrite --cluster"
    )
    group = (
        f"permissions failed: no permission to read group {topic}-group; look at APP_C__GROUP_ID; "
        f"{GRANT} --operation Read --group {topic}-group"
    )
    unseen = [
        (
            f"topic failed: topic {topic} is not there, or may not be seen; look at APP_KAFKA__TOPIC; "
            f"{GRANT} --operation Read --operation Write --topic {topic}"
        ),
        (
            f"topic failed: topic {topic}.dlq is not there, or may not be seen; look at APP_C__DEAD_LETTER_TOPIC; "
            f"{GRANT} --operation Write --topic {topic}.dlq"
        ),
    ]
    await settles([*unseen, idempotent, group])

    await allow(plain, "alice", Operation.READ, "group", f"{topic}-group")
    await settles([*unseen, idempotent])

    for name in (topic, f"{topic}.dlq"):
        await allow(plain, "alice", Operation.DESCRIBE, "topic", name)
    await settles(
        [
            (
                f"topic failed: topic {topic} is not there and may not be created; look at APP_KAFKA__TOPIC; "
                f"{GRANT} --operation Create --topic {topic}"
            ),
            (
                f"topic failed: topic {topic}.dlq is not there and may not be created; "
                f"look at APP_C__DEAD_LETTER_TOPIC; {GRANT} --operation Create --topic {topic}.dlq"
            ),
            idempotent,
        ]
    )

    for name in (topic, f"{topic}.dlq"):
        await create_topic(plain, name)
    read = (
        f"permissions failed: no permission to read topic {topic}; look at APP_KAFKA__TOPIC; "
        f"{GRANT} --operation Read --topic {topic}"
    )
    write = (
        f"permissions failed: no permission to write to topic {topic}; look at APP_KAFKA__TOPIC; "
        f"{GRANT} --operation Write --topic {topic}"
    )
    letters = (
        f"permissions failed: no permission to write to topic {topic}.dlq; look at APP_C__DEAD_LETTER_TOPIC; "
        f"{GRANT} --operation Write --topic {topic}.dlq"
    )
    await settles([read, write, letters, idempotent])

    await allow(plain, "alice", Operation.WRITE, "topic", topic)
    await settles([read, letters])
    await allow(plain, "alice", Operation.WRITE, "topic", f"{topic}.dlq")
    await allow(plain, "alice", Operation.READ, "topic", topic)
    await settles([])


async def test_roles_need_no_more_than_they_use(listeners: Listeners) -> None:
    async def causes(*roles: str) -> list[str]:
        return [fault.cause for fault in await faults_of("bob", listeners, "unneeded", roles=roles)]

    assert await causes("c") == ["topic-not-allowed", "topic-not-allowed", "idempotent-write", "group-read"]
    assert await causes("a") == ["topic-not-allowed", "idempotent-write"]
    assert await causes("streams") == []


async def test_other_partition_counts_are_said(listeners: Listeners) -> None:
    server = listeners.addresses["PLAINTEXT"]
    await create_topic(server, "three", partitions=3)
    tree = SettingsTree(kafka=KafkaSettings(bootstrap_servers=(server,), topic="three"))

    report = await probe(tree, (server,))

    assert report.code is ExitCode.OK
    assert "! topic: three has 3 partitions and is used as it is; APP_KAFKA__PARTITIONS=6 is for new topics" in list(
        as_lines(report, tree)
    )


async def test_a_topic_that_the_cluster_cannot_make(listeners: Listeners) -> None:
    server = listeners.addresses["PLAINTEXT"]
    tree = settled(server, topic="copies", replication_factor=3)

    report = await probe(tree, (server,))

    assert report.code is ExitCode.CONFIG
    assert report.failures[0].line.startswith("topic failed: topic copies cannot be created: Unable to replicate")
    assert report.failures[0].look_at == ("APP_KAFKA__PARTITIONS", "APP_KAFKA__REPLICATION_FACTOR")


async def test_a_password_that_a_broker_repeats_is_starred(listeners: Listeners) -> None:
    tree = settled(listeners.addresses["LOGIN"], **login()(listeners.certificates))

    assert redacted(f"the broker said {SECRET}", tree) == "the broker said ********"


def test_errors_are_of_the_kind_that_says_whether_to_wait() -> None:
    kinds = {BrokerUnavailable.code, NoPermission.code, ConfigError.code}

    assert {case.code for case in CASES} == kinds
