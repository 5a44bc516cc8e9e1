"""Records of repartition topics go once they are read."""

import asyncio
import logging

import pytest

from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.purging import Purger
from app.kafka.requests import Operation
from app.settings import KafkaSettings
from app.streams.model import Offset, TopicPartition
from tests.commands.test_topics import fill
from tests.kafka.far_sides import dead_port
from tests.kafka.granting import allow, becomes, create_topic
from tests.kafka.listeners import USERS, Listeners


async def begins(server: str, topic: str) -> list[int]:
    """The first offset of each partition."""
    async with open_admin(target(KafkaSettings(), (server,))) as admin:
        cluster = await admin.describe([topic])
        ends = await admin.end_offsets(cluster.topics[topic], cluster)
    return [first for _, (first, _) in sorted(ends.items())]


def committed(topic: str, **offsets: int) -> dict[TopicPartition, Offset]:
    return {TopicPartition(topic, int(name.removeprefix("p"))): Offset(value, "") for name, value in offsets.items()}


async def test_what_was_committed_is_deleted_and_nothing_else(kafka: str) -> None:
    for topic in ("purged-repartition", "purged-input"):
        await create_topic(kafka, topic, 3)
        await fill(kafka, topic, 5, 5, 5)
    purger = Purger(target(KafkaSettings(), (kafka,)), {"purged-repartition"})
    purger.note(committed("purged-repartition", p0=2, p1=5) | committed("purged-input", p0=5))
    await purger.purge()
    assert await begins(kafka, "purged-repartition") == [2, 5, 0]
    assert await begins(kafka, "purged-input") == [0, 0, 0]

    purger.note(committed("purged-repartition", p0=3))
    await purger.purge()
    assert await begins(kafka, "purged-repartition") == [3, 5, 0]


async def test_it_works_by_itself_every_so_often(kafka: str) -> None:
    await create_topic(kafka, "purged-often", 1)
    await fill(kafka, "purged-often", 3)
    purger = Purger(target(KafkaSettings(), (kafka,)), {"purged-often"}, every_s=0.01)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(purger.run())
        purger.note(committed("purged-often", p0=1))
        assert await becomes(lambda: begins(kafka, "purged-often"), [1]) == [1]
        purger.note(committed("purged-often", p0=3))
        assert await becomes(lambda: begins(kafka, "purged-often"), [3]) == [3]
        running.cancel()


async def test_a_kafka_that_is_away_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with dead_port() as dead:
        purger = Purger(target(KafkaSettings(), (dead,)), {"t"})
        purger.note(committed("t", p0=1))
        await purger.purge()
        await purger.purge()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].getMessage().startswith("repartition topics grow until records can be deleted")


async def test_a_missing_right_is_told_with_the_command_that_grants_it(
    listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    plain = listeners.addresses["PLAINTEXT"]
    await create_topic(plain, "purged-not", 1)
    await fill(plain, "purged-not", 1)
    await allow(plain, "alice", Operation.DESCRIBE, "topic", "purged-not")
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "alice", "sasl_password": USERS["alice"]}
    purger = Purger(target(KafkaSettings.model_validate(login), (listeners.addresses["LOGIN"],)), {"purged-not"})
    purger.note(committed("purged-not", p0=1))

    async def told() -> bool:
        await purger.purge()
        return "--operation Delete --topic purged-not" in caplog.text

    assert await becomes(told, wanted=True)
