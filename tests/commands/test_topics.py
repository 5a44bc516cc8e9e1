"""`python -m app topics`: what it lists, what it would delete, and when it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.commands import topics
from app.errors import BrokerUnavailable, ExitCode, TryAgain, UsageError
from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.cluster import missing
from app.kafka.usage import delete, survey
from app.settings import Loaded, load
from tests.kafka.far_sides import dead_port
from tests.kafka.granting import becomes, create_topic


def loaded(server: str, name: str) -> Loaded:
    return load([], {"KAFKA_BOOTSTRAP_SERVERS": server, "KAFKA_TOPIC": name, "KAFKA_GROUP_ID": f"{name}-group"})


async def fill(server: str, topic: str, *counts: int) -> None:
    """Records to partition 0, 1 …"""
    producer = AIOKafkaProducer(bootstrap_servers=server)
    await producer.start()
    try:
        for partition, count in enumerate(counts):
            for number in range(count):
                await producer.send_and_wait(topic, b"%d" % number, partition=partition)
    finally:
        await producer.stop()


async def commit(server: str, topic: str, offsets: dict[int, int]) -> None:
    async with member(server, topic) as consumer:
        await consumer.commit({TopicPartition(topic, partition): offset for partition, offset in offsets.items()})


@asynccontextmanager
async def member(server: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Of the topic's group."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=server, group_id=f"{topic}-group", client_id="someone")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def topics_command(server: str, name: str, *, delete: bool = False, execute: bool = False) -> ExitCode:
    """In a thread, since it starts a loop of its own."""
    return await asyncio.to_thread(topics.run, loaded(server, name), delete=delete, execute=execute)


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Without the first line, which names the cluster."""
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Kafka at 127.0.0.1:")
    return rest


async def test_nothing_is_there(kafka: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await topics_command(kafka, "absent") is ExitCode.OK
    assert printed(capsys) == [
        "topic absent: not there",
        "topic absent.dlq: not there",
        "group absent-group: not there",
    ]

    await topics_command(kafka, "absent", delete=True, execute=True)
    assert printed(capsys) == ["there is nothing to delete"]


async def test_what_is_listed(kafka: str, capsys: pytest.CaptureFixture[str]) -> None:
    await create_topic(kafka, "listed", partitions=2, retention_ms="3600000")
    await create_topic(kafka, "listed.dlq", partitions=1)
    await fill(kafka, "listed", 3, 2)
    await commit(kafka, "listed", {0: 1})

    await topics_command(kafka, "listed")

    assert printed(capsys) == [
        "topic listed: 2 partitions, 1 copy, 5 records, lag 4",
        "  cleanup.policy=delete max.message.bytes=1048588 min.insync.replicas=1 retention.ms=3600000",
        "  partition 0: offsets 0 to 3, committed 1, lag 2",
        "  partition 1: offsets 0 to 2, nothing committed, lag 2",
        "topic listed.dlq: 1 partition, 1 copy, 0 records",
        "  cleanup.policy=delete max.message.bytes=1048588 min.insync.replicas=1 retention.ms=604800000",
        "  partition 0: offsets 0 to 0",
        "group listed-group: Empty, 0 members",
    ]


async def test_members_are_listed(kafka: str, capsys: pytest.CaptureFixture[str]) -> None:
    await create_topic(kafka, "joined", partitions=1)
    async with member(kafka, "joined"):
        await topics_command(kafka, "joined")

    group, one = printed(capsys)[-2:]
    assert group == "group joined-group: Stable, 1 member"
    assert one.startswith("  someone-")
    assert one.endswith(" at 127.0.0.1")


async def test_a_plan_deletes_nothing_and_its_execution_all(kafka: str, capsys: pytest.CaptureFixture[str]) -> None:
    await create_topic(kafka, "doomed", partitions=2)
    await fill(kafka, "doomed", 1)
    await commit(kafka, "doomed", {0: 1})
    plan = [
        "to be deleted:",
        "  group doomed-group",
        "  topic doomed with 2 partitions and 1 record",
        "producers are not members of anything: end them, too; --delete --execute deletes",
    ]

    await topics_command(kafka, "doomed", delete=True)
    assert printed(capsys) == plan

    await topics_command(kafka, "doomed", delete=True, execute=True)
    assert printed(capsys) == [*plan, "deleted group doomed-group", "deleted topic doomed"]

    async def left() -> list[str]:
        await topics_command(kafka, "doomed")
        return printed(capsys)

    nothing = ["topic doomed: not there", "topic doomed.dlq: not there", "group doomed-group: not there"]
    assert await becomes(left, nothing) == nothing


async def test_live_members_are_not_pulled_from_under(kafka: str, capsys: pytest.CaptureFixture[str]) -> None:
    await create_topic(kafka, "busy", partitions=1)
    async with member(kafka, "busy"):
        await topics_command(kafka, "busy", delete=True)
        assert "group busy-group has 1 live member: end them first, --execute refuses meanwhile" in printed(capsys)

        with pytest.raises(TryAgain) as caught:
            await topics_command(kafka, "busy", delete=True, execute=True)
        assert str(caught.value) == "group busy-group has 1 live member; end them first; nothing was deleted"

    capsys.readouterr()
    await topics_command(kafka, "busy")
    assert printed(capsys)[0].startswith("topic busy: 1 partition")


async def test_a_member_that_joins_after_the_plan_is_safe_as_well(kafka: str) -> None:
    """The broker is asked to delete the group first, and knows its members best."""
    await create_topic(kafka, "late", partitions=1)
    await commit(kafka, "late", {0: 0})
    settings = loaded(kafka, "late").settings
    async with open_admin(target(settings.kafka, (kafka,))) as admin:
        usage = await survey(admin, settings)
        async with member(kafka, "late"):
            with pytest.raises(TryAgain, match="group late-group has members"):
                await delete(admin, usage)
        assert not missing((await admin.describe(["late"])).topics.get("late"))


def test_execute_belongs_to_delete(kafka: str) -> None:
    with pytest.raises(UsageError, match="--execute: belongs to --delete"):
        topics.run(loaded(kafka, "any"), execute=True)


def test_no_kafka() -> None:
    with dead_port() as dead, pytest.raises(BrokerUnavailable) as caught:
        topics.run(loaded(dead, "any"))

    assert str(caught.value) == (
        f"Kafka at {dead}: TCP failed: refused, nothing listens there; look at APP_KAFKA__BOOTSTRAP_SERVERS"
    )
