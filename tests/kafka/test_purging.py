"""Records of repartition topics go once they are read."""

import asyncio
import logging

import pytest

from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.purging import Purger
from app.kafka.requests import METADATA, Code, Operation
from app.kafka.topic_requests import DELETE_RECORDS
from app.settings import KafkaSettings
from app.streams.model import Offset, TopicPartition
from tests.commands.test_topics import fill
from tests.kafka.far_sides import GOOD, Handler, dead_port, serving
from tests.kafka.far_sides import kafka as fake
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

    late = Purger(target(KafkaSettings(), (kafka,)), {"purged-repartition"})
    late.note(committed("purged-repartition", p0=1, p2=1))
    await late.purge()
    assert await begins(kafka, "purged-repartition") == [3, 5, 1], "what another has deleted beyond is no failure"


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
    assert await begins(plain, "purged-not") == [0]

    await allow(plain, "alice", Operation.DELETE, "topic", "purged-not")

    async def purged() -> list[int]:
        await purger.purge()
        return await begins(plain, "purged-not")

    assert await becomes(purged, [1]) == [1], "what could not be deleted is tried again, with no commit between"


class Leaders:
    """A cluster of two that share topic t: partition 0 is led by 1, partition 1 by 2."""

    def __init__(self) -> None:
        self.addresses = ["", ""]
        self.leaders = [1, 2]
        self.codes = [Code.NONE, Code.NONE]
        self.asked: list[int] = []
        """Node by node: one that is asked to delete is connected to anew, but for the first."""

    def node(self, number: int) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.asked.append(number)
            places = [address.split(":") for address in self.addresses]
            brokers = [(at, host, int(port), None) for at, (host, port) in enumerate(places, start=1)]
            partitions = [(0, at, leader, [1, 2], [1, 2]) for at, leader in enumerate(self.leaders)]
            rows = [(at, 1, self.codes[at]) for at, leader in enumerate(self.leaders) if leader == number]
            more = {
                METADATA: (0, brokers, "fake", 1, [(0, "t", False, partitions)]),
                DELETE_RECORDS: (0, [("t", rows)]),
            }
            await fake({**GOOD, DELETE_RECORDS.key: (1, 1)}, more=more)(reader, writer)

        return handle


async def test_who_refuses_keeps_nothing_from_being_deleted_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Leaders()
    cluster.codes[0] = Code.TOPIC_AUTHORIZATION_FAILED
    async with serving(cluster.node(1)) as one, serving(cluster.node(2)) as two:
        cluster.addresses = [one, two]
        purger = Purger(target(KafkaSettings(), (one,)), {"t"})
        purger.note(committed("t", p0=1, p1=1))
        await purger.purge()
        assert cluster.asked == [1, 2]
        assert "--operation Delete --topic t" in caplog.text
        await purger.purge()
        assert cluster.asked == [1, 2, 1], "only what was refused is asked again"


async def test_what_has_no_leader_is_deleted_when_it_has_one() -> None:
    cluster = Leaders()
    cluster.leaders[1] = -1
    async with serving(cluster.node(1)) as one, serving(cluster.node(2)) as two:
        cluster.addresses = [one, two]
        purger = Purger(target(KafkaSettings(), (one,)), {"t"})
        purger.note(committed("t", p0=1, p1=1))
        await purger.purge()
        assert cluster.asked == [1]
        cluster.leaders[1] = 2
        await purger.purge()
        assert cluster.asked == [1, 1, 2], "no commit has come since"
