"""Offsets of a group, committed as a member of one generation: the coordinator refuses those of the dead."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetCommitRequest

from app.kafka.coordinators import ask_group
from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import FENCING, Fenced
from app.streams.model import Offset, TopicPartition


async def commit_offsets(
    client: AIOKafkaClient, group: GroupMetadata, offsets: Mapping[TopicPartition, Offset], *, within: float
) -> None:
    """Raises Fenced when the group has gone on without this member, KafkaError, TimeoutError after `within` seconds."""
    topics: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for (topic, partition), (offset, metadata) in sorted(offsets.items()):
        topics[topic].append((partition, offset, metadata))
    if not topics:
        return
    request = OffsetCommitRequest(
        group.group, group.generation, group.member, OffsetCommitRequest.DEFAULT_RETENTION_TIME, list(topics.items())
    )
    try:
        await ask_group(client, group.group, request, _refusal, within)
    except FENCING as refused:
        raise Fenced(str(refused)) from refused


def _refusal(answer: Any) -> KafkaError | None:
    """One that lasts before one that passes."""
    errors = [for_code(code)() for _, rows in answer.topics for _, code in rows if code]
    return min(errors, key=lambda error: bool(error.retriable), default=None)
