"""Where partitions are begun that no offset is committed for: by the rule of their source."""

from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from aiokafka import AIOKafkaConsumer
from kafka import TopicPartition as AdminPartition
from kafka.admin import KafkaAdminClient

from app.errors import ConfigError
from app.kafka.starting_offsets import starting_offsets
from app.streams.model import TopicPartition
from app.streams.topology.nodes import Reset
from tests.kafka.logs import START_MS, Log, rows

COUNT, GONE = 10, 3
LAST_MS = START_MS + COUNT - 1


@pytest.fixture
def log(kafka: str) -> Log:
    return Log(kafka, partitions=2)


@pytest.fixture
async def consumer(log: Log) -> AsyncIterator[AIOKafkaConsumer]:
    """Partition 0 has records a millisecond apart, the first ones of which were deleted; 1 is empty."""
    log.create()
    await log.append([[row] for row in rows(COUNT)])
    with closing(KafkaAdminClient(bootstrap_servers=log.server)) as admin:
        admin.delete_records({AdminPartition(log.topic, 0): GONE})
    async with log.reader() as consumer:
        yield consumer


async def test_each_source_has_its_rule(log: Log, consumer: AIOKafkaConsumer) -> None:
    filled, empty = log.all

    async def start(rule: Reset | int | None, where: TopicPartition = filled) -> int:
        found = await starting_offsets(consumer, {where: rule}, LAST_MS)
        assert list(found) == [where]
        return found[where]

    assert await start(None) == await start(Reset.EARLIEST) == GONE
    assert await start(Reset.LATEST) == COUNT
    assert await start(0) == COUNT - 1
    assert await start(4) == COUNT - 5, "the first record of the last four milliseconds"
    assert await start(1_000_000) == GONE
    assert [await start(rule, empty) for rule in (None, Reset.LATEST, 4)] == [0, 0, 0], "with nothing in it: its end"
    assert await starting_offsets(consumer, {filled: Reset.LATEST, empty: None}, LAST_MS) == {filled: COUNT, empty: 0}


async def test_a_time_behind_the_last_record_is_the_end(log: Log, consumer: AIOKafkaConsumer) -> None:
    assert await starting_offsets(consumer, {log.all[0]: 5}, LAST_MS + 1_000) == {log.all[0]: COUNT}


async def test_a_source_that_leaves_the_choice_to_nobody_ends_it(log: Log, consumer: AIOKafkaConsumer) -> None:
    with pytest.raises(ConfigError, match=f"no offset is committed for {log.topic}-1,"):
        await starting_offsets(consumer, {log.all[0]: None, log.all[1]: Reset.NONE}, LAST_MS)
