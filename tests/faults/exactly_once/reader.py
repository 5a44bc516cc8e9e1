"""Asks a cluster, by means of its own, what was written and how far the group has come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, for_code

from tests.faults.exactly_once.logs import Logged, Logs

SILENT_FOR_S = 60.0
"""A reader to whom no record has come for so long gives up: it may have many to read."""
VISIBLE_WITHIN_S = 20.0
VISIBLE_EVERY_S = 0.1

Ends = dict[TopicPartition, int]


class Standing(NamedTuple):
    """Of a group. stable: nobody is waited for. members: their ids, another one for each life of a dynamic member."""

    stable: bool
    members: frozenset[str]


class Reader:
    """Is shown what was committed. Every method may raise KafkaError while the broker is away."""

    def __init__(self, consumer: AIOKafkaConsumer, bold: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        self._consumer = consumer
        self._bold = bold
        self._admin = admin

    async def create(self, topics: Mapping[str, int]) -> None:
        """Returns when their partitions have leaders."""
        await self._admin.create_topics([NewTopic(name, count, 1) for name, count in topics.items()])
        deadline = time.monotonic() + VISIBLE_WITHIN_S
        while True:
            try:
                await self.ends(topics)
            except KafkaError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(VISIBLE_EVERY_S)
            else:
                return

    async def delete(self, names: Collection[str]) -> None:
        await self._admin.delete_topics(list(names))

    async def ends(self, topics: Mapping[str, int], *, open_too: bool = False) -> Ends:
        """Offsets up to which all transactions have ended; with `open_too` of everything written."""
        consumer = self._bold if open_too else self._consumer
        found: Ends = await consumer.end_offsets(_partitions(topics))
        return found

    async def committed(self, group: str) -> Ends:
        offsets = await self._admin.list_consumer_group_offsets(group)
        return {partition: offset.offset for partition, offset in offsets.items() if offset.offset >= 0}

    async def standing(self, group: str) -> Standing:
        (answer,) = await self._admin.describe_consumer_groups([group])
        ((code, _, state, _, _, members, *_),) = answer.groups
        if (error := for_code(code)) is not NoError:
            raise error(f"group {group}")
        return Standing(state == "Stable", frozenset(member[0] for member in members))

    async def read(self, topics: Mapping[str, int], begin: Ends | None = None) -> Logs:
        """From the first records that are left, or from `begin`, to the present end."""
        partitions = _partitions(topics)
        self._consumer.assign(partitions)
        ends = await self._consumer.end_offsets(partitions)
        for partition, first in (await self._consumer.beginning_offsets(partitions)).items():
            self._consumer.seek(partition, max(first, (begin or {}).get(partition, 0)))
        found: dict[tuple[str, int], list[Logged]] = {(topic, number): [] for topic, number in partitions}
        deadline = time.monotonic() + SILENT_FOR_S
        waiting = set(partitions)
        while waiting := {each for each in waiting if await self._consumer.position(each) < ends[each]}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"cannot read to the end of {sorted(waiting)}")
            batches = await self._consumer.getmany(timeout_ms=200, max_records=20_000)
            if batches:
                deadline = time.monotonic() + SILENT_FOR_S
            for (topic, number), records in batches.items():
                found[topic, number] += [
                    Logged(record.offset, record.key, record.value, record.timestamp, record.headers)
                    for record in records
                ]
        return Logs(found)


def _partitions(topics: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(name, number) for name, count in topics.items() for number in range(count)]


@asynccontextmanager
async def reading(server: str) -> AsyncIterator[Reader]:
    consumer, bold = (
        AIOKafkaConsumer(
            bootstrap_servers=server,
            isolation_level=level,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            request_timeout_ms=10_000,
            retry_backoff_ms=100,
        )
        for level in ("read_committed", "read_uncommitted")
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=server, request_timeout_ms=10_000)
    await consumer.start()
    try:
        await bold.start()
        try:
            await admin.start()
            yield Reader(consumer, bold, admin)
        finally:
            await admin.close()
            await bold.stop()
    finally:
        await consumer.stop()
