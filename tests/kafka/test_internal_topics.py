"""What a topology has on a real cluster: made as Java makes it, compared, refused or warned about."""

import asyncio
import itertools
import logging

import pytest

from app.errors import ConfigError, NoPermission
from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.cluster import missing
from app.kafka.internal_topics import Internal, ensure_internal_topics
from app.kafka.offsets import commit_offsets
from app.kafka.requests import Operation
from app.settings import KafkaSettings
from app.streams import Builder, JoinWindows, Materialized, StreamJoined, StreamsConfig, Topology, Tumbling, seconds
from app.streams.model import TopicPartition
from app.streams.serdes import int64, utf8
from tests.kafka.granting import allow, becomes, create_topic
from tests.kafka.listeners import USERS, Listeners

_numbers = itertools.count()


@pytest.fixture
def app() -> str:
    """An application id of the test's own."""
    return f"internal-{next(_numbers)}"


def words(app: str, **config: object) -> Topology:
    """Reads <app>-in, counts by another key, all the time and per ten seconds; writes <app>-out."""
    builder = Builder(StreamsConfig(application_id=app, dead_letter_topic=f"{app}.dlq", **config))  # type: ignore[arg-type]
    again = builder.stream(f"{app}.in", key=utf8, value=utf8, name="words").select_key(lambda _key, word: word)
    grouped = again.group_by_key(name="by-word", key=utf8, value=utf8)
    grouped.count(Materialized("counts")).to_stream().to(f"{app}.out", key=utf8, value=int64)
    grouped.windowed_by(Tumbling(seconds(10), grace=seconds(2))).count(Materialized("per-10s"))
    return builder.build()


async def ensure(server: str, topology: Topology) -> Internal:
    return await ensure_internal_topics(target(KafkaSettings(), (server,)), topology)


async def configs(server: str, topic: str, *names: str) -> dict[str, str]:
    async with open_admin(target(KafkaSettings(), (server,))) as admin:
        return await admin.configs(topic, names) or {}


async def delete(server: str, topic: str) -> None:
    """Returns when the broker no longer shows it."""
    async with open_admin(target(KafkaSettings(), (server,))) as admin:
        await admin.delete_topic(topic, await admin.describe([]))

        async def gone() -> bool:
            return missing((await admin.describe([topic])).topics.get(topic))

        assert await becomes(gone, wanted=True)


async def test_topics_are_made_with_java_s_names_counts_and_settings(kafka: str, app: str) -> None:
    await create_topic(kafka, f"{app}.in", 3)
    found = await ensure(kafka, words(app))

    repartition, counts, per_10s = f"{app}-by-word-repartition", f"{app}-counts-changelog", f"{app}-per-10s-changelog"
    assert set(found.created) == {repartition, counts, per_10s, f"{app}.out", f"{app}.dlq"}
    assert found.counts == dict.fromkeys([*found.created, f"{app}.in"], 3)
    assert set(found.topic_ids) == set(found.counts)
    assert await configs(kafka, repartition, "cleanup.policy", "retention.ms", "segment.bytes") == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "segment.bytes": "52428800",
    }
    assert await configs(kafka, counts, "cleanup.policy", "message.timestamp.type") == {
        "cleanup.policy": "compact",
        "message.timestamp.type": "CreateTime",
    }
    window = await configs(kafka, per_10s, "cleanup.policy", "retention.ms")
    assert set(window["cleanup.policy"].split(",")) == {"compact", "delete"}
    assert window["retention.ms"] == str(12_000 + 86_400_000)


async def test_what_is_there_is_left_alone(kafka: str, app: str, caplog: pytest.LogCaptureFixture) -> None:
    await create_topic(kafka, f"{app}.in", 2)
    first = await ensure(kafka, words(app))
    caplog.clear()
    second = await ensure(kafka, words(app))
    assert second.created == ()
    assert (second.counts, second.topic_ids) == (first.counts, first.topic_ids)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_many_instances_make_them_at_the_same_time(kafka: str, app: str) -> None:
    await create_topic(kafka, f"{app}.in", 2)
    found = await asyncio.gather(*(ensure(kafka, words(app)) for _ in range(6)))
    assert all(other.topic_ids == found[0].topic_ids for other in found)
    made = [name for each in found for name in each.created]
    assert len(made) == len(set(made)) == 5


async def test_a_topic_of_the_user_is_not_made(kafka: str, app: str) -> None:
    with pytest.raises(ConfigError, match=rf"- topic {app}.in, read by words, does not exist$"):
        await ensure(kafka, words(app))
    async with open_admin(target(KafkaSettings(), (kafka,))) as admin:
        assert all(not name.startswith(app) for name in (await admin.describe(None)).topics)


async def test_every_wrong_partition_count_is_told_at_once(kafka: str, app: str) -> None:
    await create_topic(kafka, f"{app}.in", 3)
    await create_topic(kafka, f"{app}-by-word-repartition", 1)
    await create_topic(kafka, f"{app}-counts-changelog", 5)
    with pytest.raises(ConfigError) as refusal:
        await ensure(kafka, words(app))
    head, *lines = str(refusal.value).split("\n")
    assert head == "the topics on Kafka do not fit the topology:"
    assert [line.split(";")[0] for line in lines] == [
        f"- topic {app}-by-word-repartition has 1 partition, and the topology needs 3",
        f"- topic {app}-counts-changelog has 5 partitions, and the topology needs 3",
    ]
    assert all("python -m app reset" in line for line in lines)


async def test_joined_topics_need_equally_many_partitions(kafka: str, app: str) -> None:
    builder = Builder(StreamsConfig(application_id=app))
    left, right = (builder.stream(f"{app}.{side}", key=utf8, value=utf8) for side in ("left", "right"))
    left.join(right, lambda one, other: one + other, JoinWindows.within(seconds(1)), StreamJoined(utf8, utf8, utf8))
    await create_topic(kafka, f"{app}.left", 2)
    await create_topic(kafka, f"{app}.right", 3)
    with pytest.raises(ConfigError, match=rf"joined need equally many .*: {app}.left has 2, {app}.right has 3$"):
        await ensure(kafka, builder.build())


async def test_another_configuration_is_a_warning_a_topic(
    kafka: str, app: str, caplog: pytest.LogCaptureFixture
) -> None:
    await create_topic(kafka, f"{app}.in", 1)
    await create_topic(kafka, f"{app}-counts-changelog", 1, cleanup_policy="delete")
    await ensure(kafka, words(app))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning == (
        f"topic {app}-counts-changelog was made otherwise and is used as it is: "
        "cleanup.policy=delete instead of compact"
    )


async def test_topics_of_sinks_and_of_dead_letters_are_taken_as_they_are(kafka: str, app: str) -> None:
    await create_topic(kafka, f"{app}.in", 3)
    await create_topic(kafka, f"{app}.out", 7)
    await create_topic(kafka, f"{app}.dlq", 1)
    found = await ensure(kafka, words(app))
    assert (found.counts[f"{app}.out"], found.counts[f"{app}.dlq"]) == (7, 1)


@pytest.mark.parametrize(("source", "letters"), [(2_000_000, 2_000_000), (1_000, 1_048_588)])
async def test_a_dead_letter_has_room_for_its_headers(kafka: str, app: str, source: int, letters: int) -> None:
    await create_topic(kafka, f"{app}.in", 1, max_message_bytes=str(source))
    await ensure(kafka, words(app))
    assert await configs(kafka, f"{app}.dlq", "max.message.bytes") == {"max.message.bytes": str(letters + 65_536)}


async def test_a_topic_that_takes_less_than_a_record_may_have_is_warned_of(
    kafka: str, app: str, caplog: pytest.LogCaptureFixture
) -> None:
    await create_topic(kafka, f"{app}.in", 1)
    await create_topic(kafka, f"{app}.out", 1, max_message_bytes="600000")
    await ensure(kafka, words(app))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith(f"topic {app}.out takes records up to 600000 bytes (max.message.bytes), and the topology")


async def test_a_sink_that_is_an_input_besides_is_looked_at_too(kafka: str, app: str) -> None:
    builder = Builder(StreamsConfig(application_id=app))
    builder.stream(f"{app}.in", key=utf8, value=utf8).to(f"{app}.back", key=utf8, value=utf8)
    builder.stream(f"{app}.back", key=utf8, value=utf8, name="back").foreach(lambda _key, _value: None)
    await create_topic(kafka, f"{app}.in", 1)
    await create_topic(kafka, f"{app}.back", 1, max_message_bytes="1000")
    assert (await ensure(kafka, builder.build())).limits[f"{app}.back"] == 1000


async def test_a_name_that_kafka_takes_for_no_topic_is_refused(kafka: str, app: str) -> None:
    """The names of store and application are fine, and too long together."""
    builder = Builder(StreamsConfig(application_id=app))
    store = "s" * 245
    builder.stream(f"{app}.in", key=utf8, value=utf8).group_by_key().count(Materialized(store))
    await create_topic(kafka, f"{app}.in", 1)
    with pytest.raises(ConfigError, match=r"-changelog', which the topology writes, is no name that Kafka takes"):
        await ensure(kafka, builder.build())


async def test_a_topic_that_was_made_anew_has_another_id(
    kafka: str, app: str, caplog: pytest.LogCaptureFixture
) -> None:
    await create_topic(kafka, f"{app}.in", 2)
    changelog = f"{app}-counts-changelog"
    first = await ensure(kafka, words(app))
    async with open_admin(target(KafkaSettings(), (kafka,))) as admin:
        await commit_offsets(admin, app, {TopicPartition(f"{app}.in", 0): 12})
    await delete(kafka, changelog)
    second = await ensure(kafka, words(app))
    assert second.created == (changelog,)
    assert second.topic_ids[changelog] != first.topic_ids[changelog]
    assert {**second.topic_ids, changelog: ""} == {**first.topic_ids, changelog: ""}
    assert f"{changelog}: not there until now, though the application has read from {app}.in before" in caplog.text


async def test_a_pattern_takes_topics_of_users_only(kafka: str, app: str) -> None:
    builder = Builder(StreamsConfig(application_id=app, dead_letter_topic=f"{app}.dlq"))
    builder.stream(pattern=rf"{app}.*", key=utf8, value=utf8).group_by_key().count(Materialized("counts"))
    await create_topic(kafka, f"{app}.one", 2)
    await create_topic(kafka, f"{app}.two", 4)
    await create_topic(kafka, f"{app}-other-changelog", 9)
    found = await ensure(kafka, builder.build())
    assert (found.counts[f"{app}-counts-changelog"], found.counts[f"{app}.dlq"]) == (4, 4)
    assert f"{app}-other-changelog" not in found.counts


async def test_a_missing_right_is_named_with_the_command_that_grants_it(listeners: Listeners, app: str) -> None:
    plain = listeners.addresses["PLAINTEXT"]
    await create_topic(plain, f"{app}.in", 1)
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "alice", "sasl_password": USERS["alice"]}
    alice = target(KafkaSettings.model_validate(login), (listeners.addresses["LOGIN"],))

    async def refusal() -> str:
        with pytest.raises(NoPermission) as refused:
            await ensure_internal_topics(alice, words(app))
        return str(refused.value)

    assert await refusal() == (
        f"topic {app}.in, which the topology reads, is not there or may not be seen; grant it: kafka-acls.sh --add "
        f"--allow-principal 'User:alice' --operation Describe --operation Read --topic {app}.in"
    )
    for operation in (Operation.DESCRIBE, Operation.READ):
        await allow(plain, "alice", operation, "topic", f"{app}.in")
    wanted = (
        f"topic {app}-by-word-repartition is not there or may not be seen; grant it: kafka-acls.sh --add "
        "--allow-principal 'User:alice' --operation Create --operation Describe --operation DescribeConfigs "
        f"--operation Read --operation Write --operation Delete --topic {app}- --resource-pattern-type prefixed"
    )
    assert await becomes(refusal, wanted) == wanted


async def test_copies_that_the_cluster_has_not_are_refused_by_the_name_of_the_setting(kafka: str, app: str) -> None:
    await create_topic(kafka, f"{app}.in", 1)
    with pytest.raises(ConfigError, match=r"cannot be created: .*; look at APP_KAFKA__REPLICATION_FACTOR$"):
        await ensure_internal_topics(target(KafkaSettings(replication_factor=3), (kafka,)), words(app))
