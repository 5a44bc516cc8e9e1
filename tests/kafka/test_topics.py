"""What `ensure_topics` makes, takes as it is, and says when it may not."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from app.errors import BrokerUnavailable, ConfigError, NoPermission
from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.requests import Code, Operation
from app.kafka.topic_requests import CREATE_TOPICS
from app.kafka.topics import DEAD_LETTER_ROOM, DEFAULT_MAX_MESSAGE_BYTES, ensure_topics, new_topic
from app.settings import KafkaSettings, SettingsTree
from tests.kafka import far_sides
from tests.kafka.granting import allow, becomes, create_topic
from tests.kafka.listeners import Listeners

GRANT = "grant it: kafka-acls.sh --add --allow-principal 'User:alice'"


@pytest.fixture
def server(listeners: Listeners) -> str:
    return listeners.addresses["PLAINTEXT"]


def tree(topic: str, roles: Sequence[str] = ("a", "b", "c"), **settings: int) -> SettingsTree:
    return SettingsTree.model_validate({"roles": roles, "kafka": {"topic": topic, **settings}})


async def configs(server: str, topic: str) -> dict[str, str]:
    async with open_admin(target(KafkaSettings(), (server,))) as admin:
        return await admin.configs(topic, ["cleanup.policy", "max.message.bytes"]) or {}


async def test_missing_topics_are_made(server: str) -> None:
    source, letters = await ensure_topics(tree("made"), (server,))

    assert (source.name, source.partitions, source.created, source.remark) == ("made", 6, True, "")
    assert (letters.name, letters.partitions, letters.created, letters.remark) == ("made.dlq", 6, True, "")
    assert await configs(server, "made") == {
        "cleanup.policy": "delete",
        "max.message.bytes": str(DEFAULT_MAX_MESSAGE_BYTES),
    }
    assert await configs(server, "made.dlq") == {
        "cleanup.policy": "delete",
        "max.message.bytes": str(DEFAULT_MAX_MESSAGE_BYTES + DEAD_LETTER_ROOM),
    }


async def test_a_second_time_changes_nothing(server: str) -> None:
    await ensure_topics(tree("twice"), (server,))

    again = await ensure_topics(tree("twice"), (server,))

    assert [(report.created, report.remark) for report in again] == [(False, ""), (False, "")]


async def test_the_dead_letters_have_room_for_what_the_source_takes(server: str) -> None:
    await create_topic(server, "roomy", max_message_bytes="3000000")

    await ensure_topics(tree("roomy"), (server,))

    assert (await configs(server, "roomy.dlq"))["max.message.bytes"] == str(3_000_000 + DEAD_LETTER_ROOM)


async def test_what_is_there_is_used_and_said(server: str) -> None:
    await create_topic(server, "there", partitions=3)
    await create_topic(server, "there.dlq", partitions=1, max_message_bytes="1000000")

    source, letters = await ensure_topics(tree("there"), (server,))

    assert (source.partitions, source.created) == (3, False)
    assert source.remark == "has 3 partitions and is used as it is; APP_KAFKA__PARTITIONS=6 is for new topics"
    assert letters.remark == (
        "has 1 partition and is used as it is; APP_KAFKA__PARTITIONS=6 is for new topics; its max.message.bytes is "
        "1000000; letters of the largest records need 1114124, or only a digest of them is kept"
    )


async def test_what_was_done_is_logged(server: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "app.kafka.topics")
    await create_topic(server, "logged", partitions=2)

    await ensure_topics(tree("logged"), (server,))

    assert [record.getMessage() for record in caplog.records if record.name == "app.kafka.topics"] == [
        "topic logged: has 2 partitions and is used as it is; APP_KAFKA__PARTITIONS=6 is for new topics",
        "created topic logged.dlq with 6 partitions",
    ]


async def test_many_at_once_make_one(server: str) -> None:
    reports = await asyncio.gather(*(ensure_topics(tree("raced"), (server,)) for _ in range(8)))

    assert [sum(report[place].created for report in reports) for place in (0, 1)] == [1, 1]
    assert {report[place].partitions for report in reports for place in (0, 1)} == {6}


async def test_roles_without_topics_need_no_kafka() -> None:
    with far_sides.dead_port() as dead:
        assert await ensure_topics(tree("none", roles=("streams",)), (dead,)) == ()


async def test_a_producer_needs_no_dead_letters(server: str) -> None:
    reports = await ensure_topics(tree("sent", roles=("a",)), (server,))

    assert [report.name for report in reports] == ["sent"]


async def test_a_missing_right_is_told_with_its_command(listeners: Listeners, server: str) -> None:
    login = listeners.addresses["LOGIN"]
    alice = SettingsTree.model_validate(
        {
            "roles": ["a"],
            "kafka": {
                "topic": "denied",
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_username": "alice",
                "sasl_password": "alice-secret",
            },
        }
    )

    async def denial() -> str:
        try:
            await ensure_topics(alice, (login,))
        except NoPermission as error:
            return str(error)
        return ""

    wanted = [
        f"topic denied is not there or may not be seen; {GRANT} --operation Write --topic denied",
        f"topic denied cannot be created: not allowed; {GRANT} --operation Create --topic denied",
        f"no permission to write to topic denied; {GRANT} --operation Write --topic denied",
        "",
    ]
    assert await denial() == wanted[0]
    await allow(server, "alice", Operation.DESCRIBE, "topic", "denied")
    assert await becomes(denial, wanted[1]) == wanted[1]
    await create_topic(server, "denied")
    assert await becomes(denial, wanted[2]) == wanted[2]
    await allow(server, "alice", Operation.WRITE, "topic", "denied")
    assert await becomes(denial, wanted[3]) == wanted[3]


async def test_more_copies_than_brokers_is_a_wrong_setting(server: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await ensure_topics(tree("copied", replication_factor=3), (server,))

    assert str(caught.value).startswith("topic copied cannot be created: Unable to replicate the partition 3 time(s)")
    assert str(caught.value).endswith("; look at APP_KAFKA__REPLICATION_FACTOR")


async def test_no_kafka_is_worth_another_attempt() -> None:
    with far_sides.dead_port() as dead, pytest.raises(BrokerUnavailable) as caught:
        await ensure_topics(tree("any"), (dead,))

    assert str(caught.value) == (
        f"Kafka at {dead}: TCP failed: refused, nothing listens there; look at APP_KAFKA__BOOTSTRAP_SERVERS"
    )


@pytest.mark.parametrize("code", [Code.NOT_CONTROLLER, Code.COORDINATOR_NOT_AVAILABLE, 7, 89])
async def test_what_passes_is_worth_another_attempt(code: int) -> None:
    handler = far_sides.kafka(more={CREATE_TOPICS: (0, [("any", code, None)])}, controller=-1)
    async with far_sides.serving(handler) as fake, open_admin(target(KafkaSettings(), (fake,))) as admin:
        with pytest.raises(BrokerUnavailable, match="topic any cannot be created now: "):
            await admin.create_topic(new_topic("any", KafkaSettings(), None), await admin.describe([]))
