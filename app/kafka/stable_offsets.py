"""Committed offsets that no open transaction can still change: where a successor may start (KIP-447)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code

from app.kafka.coordinators import ask_group
from app.kafka.transactional_requests import StableOffsetFetchRequest


async def stable_offsets(
    client: AIOKafkaClient, group: str, partitions: Iterable[TopicPartition], *, within: float
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Offset of the next record and the text beside it; partitions without a commit are left out.

    Waits for transactions that hold offsets of these partitions: fence the dead first, or theirs are waited for until
    they time out. Raises KafkaError, and TimeoutError after `within` seconds.
    """
    wanted: dict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions:
        wanted[topic].append(partition)
    if not wanted:
        return {}
    request = StableOffsetFetchRequest(group, list(wanted.items()))
    answer = await ask_group(client, group, request, _refusal, within)
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(offset, metadata or "")
        for topic, rows, _ in answer.topics
        for partition, offset, _, metadata, _, _ in rows
        if offset >= 0
    }


def _refusal(answer: Any) -> KafkaError | None:
    """That of the whole before that of a partition, and one that lasts before one that passes."""
    codes = [answer.error_code, *(row[4] for _, rows, _ in answer.topics for row in rows)]
    errors = [for_code(code)() for code in codes if code]
    return min(errors, key=lambda error: bool(error.retriable), default=None)
