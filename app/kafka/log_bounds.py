"""Where logs begin and end, asked of their leaders: a consumer would answer with its own isolation, after its long
poll, and never for a topic that is gone."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.offset import OffsetRequest

from app.errors import BrokerUnavailable
from app.kafka.closing import close
from app.kafka.failures import describe
from app.streams.model import TopicPartition

WITHIN: Final = 30.0
VISIBLE_WITHIN: Final = 3.0
"""Seconds in which the brokers hear of a new topic; one they do not know then is none."""
_BACKOFF: Final = 0.02
_CLOSE_WITHIN: Final = 1.0
_EARLIEST, _LATEST = -2, -1
_UNCOMMITTED, _COMMITTED = 0, 1


class LogBounds:
    """Partitions that the cluster does not know are left out of the answers. Raises KafkaError for what will not
    mend, and BrokerUnavailable when nobody answers in time."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def begins(self, partitions: Collection[TopicPartition], within: float = WITHIN) -> dict[TopicPartition, int]:
        """Offset of the first record that is still there."""
        return await self._ask(partitions, _EARLIEST, _UNCOMMITTED, within)

    async def ends(
        self, partitions: Collection[TopicPartition], *, committed: bool = False, within: float = WITHIN
    ) -> dict[TopicPartition, int]:
        """The high watermark: open transactions included. committed: up to the first open transaction."""
        return await self._ask(partitions, _LATEST, _COMMITTED if committed else _UNCOMMITTED, within)

    async def _ask(
        self, partitions: Collection[TopicPartition], time: int, isolation: int, within: float
    ) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = {}
        obstacle: KafkaError | None = None
        loop = asyncio.get_running_loop()
        unknown_until = loop.time() + min(VISIBLE_WITHIN, within)
        try:
            async with asyncio.timeout(within):
                while missing := [each for each in partitions if each not in found]:
                    try:
                        for topic in {each.topic for each in missing}:
                            await self._client.add_topic(topic)
                        found |= await self._ask_leaders(missing, time, isolation)
                        continue
                    except KafkaError as error:
                        if not error.retriable:
                            raise
                        obstacle = error
                    if isinstance(obstacle, UnknownTopicOrPartitionError) and loop.time() > unknown_until:
                        known = [each for each in missing if self._leader(each) is not None]
                        return found | (await self._ask_leaders(known, time, isolation) if known else {})
                    await self._client.force_metadata_update()
                    await asyncio.sleep(_BACKOFF)
        except TimeoutError as error:
            topics = ", ".join(sorted({each.topic for each in partitions}))
            why = describe(obstacle) if obstacle is not None else "no answer"
            raise BrokerUnavailable(f"the bounds of {topics} are not known after {within} s: {why}") from error
        return found

    async def _ask_leaders(
        self, partitions: Collection[TopicPartition], time: int, isolation: int
    ) -> dict[TopicPartition, int]:
        wanted: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for each in partitions:
            leader = self._leader(each)
            if leader is None:
                raise UnknownTopicOrPartitionError(str(each))
            if leader < 0:
                raise LeaderNotAvailableError(str(each))
            wanted[leader][each.topic].append((each.partition, time))
        answers = await asyncio.gather(
            *(
                self._client.send(leader, OffsetRequest(-1, isolation, list(topics.items())))
                for leader, topics in wanted.items()
            )
        )
        return {where: offset for answer in answers for where, offset in _offsets(answer)}

    def _leader(self, partition: TopicPartition) -> int | None:
        leader: int | None = self._client.cluster.leader_for_partition(partition)
        return leader


def _offsets(answer: Any) -> list[tuple[TopicPartition, int]]:
    found = []
    for topic, rows in answer.topics:
        for partition, code, _, offset in rows:
            if code:
                raise for_code(code)(f"{topic}-{partition}")
            found.append((TopicPartition(topic, partition), offset))
    return found


@asynccontextmanager
async def log_bounds(options: dict[str, Any]) -> AsyncIterator[LogBounds]:
    """`options`: those all clients share. Raises KafkaError."""
    client = AIOKafkaClient(**options)
    await client.bootstrap()
    try:
        yield LogBounds(client)
    finally:
        await close(client.close(), within=_CLOSE_WITHIN)
