"""Poison on a real topic: kept as it came, and the flow goes on. And what is kept of a letter that is too large."""

import asyncio
import hashlib
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from app.kafka.dead_letters import KEPT, PREFIX, SHARED, SMALL, Letter, batches, compose, shrink, size_of
from app.numbers import Rejected, Unreadable
from tests.faults.lives import living
from tests.kafka.poison import POISONS, Poison


def test_every_kind_is_kept_with_its_bytes_and_the_next_record_is_printed(kafka: str, tmp_path: Path) -> None:
    topic = f"poison-{uuid.uuid4().hex[:8]}"
    environment = {
        "APP_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "APP_KAFKA__TOPIC": topic,
        "APP_C__GROUP_ID": topic,
        "APP_ROLES": "c",
        "APP_KAFKA__PARTITIONS": "1",
    }
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        admin.create_topics([NewTopic(topic, 1, 1)])
    asyncio.run(send_with_a_good_one_behind_each(kafka, topic, POISONS))
    with living(tmp_path, environment) as life:
        life.wait_for_lines(len(POISONS))
        assert life.lines() == [f'{{"A": {number}}}' for number in range(len(POISONS))]
        letters = read(kafka, f"{topic}.dlq", len(POISONS))
        log = life.log.read_text()
    assert "Traceback" not in log
    for number, (poison, letter) in enumerate(zip(POISONS, letters, strict=True)):
        offset = 2 * number
        assert (letter.key, letter.value) == (poison.key, poison.value), poison.name
        headers = [(name, value) for name, value in letter.headers if not name.startswith(PREFIX)]
        assert headers == list(poison.headers), poison.name
        said = {name.removeprefix(PREFIX): value.decode() for name, value in letter.headers if name.startswith(PREFIX)}
        assert (said["reason"], said["topic"], said["partition"]) == (poison.reason, topic, "0"), poison.name
        assert said["offset"] == str(offset)
        assert said["exception"] == "app.numbers.Unreadable"
        assert said["message"]
        assert f"{topic}-0 at offset {offset} is unreadable ({poison.reason})" in log, poison.name
        if poison.timestamp is not None:
            assert letter.timestamp == poison.timestamp


def test_what_the_dead_letter_topic_cannot_take_is_kept_in_part(kafka: str, tmp_path: Path) -> None:
    topic = f"large-{uuid.uuid4().hex[:8]}"
    small = {"max.message.bytes": "300000"}
    value = bytes(n % 251 for n in range(900_000))
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        admin.create_topics([NewTopic(topic, 1, 1), NewTopic(f"{topic}.dlq", 1, 1, topic_configs=small)])
    with closing(KafkaProducer(bootstrap_servers=kafka, max_request_size=2**22, acks="all")) as producer:
        producer.send(topic, value, key=b"k" * 10)
        producer.send(topic, b"small")
        producer.send(topic, b'{"A": 1}')
    environment = {
        "APP_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "APP_KAFKA__TOPIC": topic,
        "APP_C__GROUP_ID": topic,
        "APP_ROLES": "c",
    }
    with living(tmp_path, environment) as life:
        life.wait_for_lines(1)
        letters = read(kafka, f"{topic}.dlq", 2)
        log = life.log.read_text()
    large = next(letter for letter in letters if letter.value != b"small")
    said = dict(large.headers)
    assert large.value == value[:KEPT]
    assert said[f"{PREFIX}value.length"] == b"900000"
    assert said[f"{PREFIX}value.sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert f"too large for {topic}.dlq: digest and first 65536 bytes are kept" in log


async def send_with_a_good_one_behind_each(servers: str, topic: str, poisons: Sequence[Poison]) -> None:
    """A batch each, for no client's `send` takes all of them."""
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for number, poison in enumerate(poisons):
            bad = {
                "key": poison.key,
                "value": poison.value,
                "headers": list(poison.headers),
                "timestamp": poison.timestamp,
            }
            good: dict[str, Any] = {"key": None, "value": b'{"A": %d}' % number, "headers": [], "timestamp": None}
            for record in (bad, good):
                batch = producer.create_batch()
                batch.append(**record)
                await (await producer.send_batch(batch, topic, partition=0))


@dataclass(frozen=True)
class Read:
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp: int


def read(servers: str, topic: str, count: int) -> list[Read]:
    """The first so many records of a topic's only busy partition, in order."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
        max_partition_fetch_bytes=2**23,
    )
    letters: list[Read] = []
    for record in consumer:
        letters.append(Read(record.key, record.value, list(record.headers), record.timestamp))
        if len(letters) == count:
            break
    consumer.close()
    assert len(letters) == count
    return letters


@dataclass(frozen=True)
class Record:
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    topic: str = "numtest1"
    partition: int = 3
    offset: int = 7
    timestamp: int = 5


binaries = st.one_of(st.none(), st.binary(max_size=40), st.integers(KEPT - 1, 2 * KEPT).map(bytes))


@given(key=binaries, value=binaries, headers=st.lists(st.tuples(st.text(max_size=5), binaries), max_size=4))
def test_a_shrunk_letter_fits_and_says_what_was_cut(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    letter = compose(Rejected(Record(value, key, tuple(headers)), Unreadable("null", "why")))
    smaller = shrink(letter)
    said = dict(smaller.headers)
    for name, before, after in (("key", key, smaller.key), ("value", value, smaller.value)):
        if before is None or len(before) <= KEPT:
            assert after == before
        else:
            assert after == before[:KEPT]
            assert said[f"{PREFIX}{name}.length"] == str(len(before)).encode()
    assert size_of(smaller) <= 3 * KEPT + 4_096


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2 * SMALL)), max_size=60), st.integers(1, 6))
def test_batches_hold_every_letter_once_in_order_and_large_ones_alone(
    sizes: list[tuple[int, int]], partitions: int
) -> None:
    letters = [Letter(partition, n, None, bytes(size), []) for n, (partition, size) in enumerate(sizes)]
    groups = batches(letters, partitions)
    assert sorted(letter.timestamp for group in groups for letter in group) == list(range(len(letters)))
    for group in groups:
        assert len({letter.partition % partitions for letter in group}) == 1
        assert sum(map(size_of, group)) <= SHARED or len(group) == 1
        assert len(group) == 1 or all(size_of(letter) <= SMALL for letter in group)
    for partition in range(partitions):
        kept = [each.timestamp for group in groups for each in group if each.partition % partitions == partition]
        assert kept == sorted(kept)
