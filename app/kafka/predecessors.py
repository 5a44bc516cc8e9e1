"""Members that were this process before it was killed: removed, or the group would wait for them for a session."""

import logging
from collections.abc import Iterator
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaError, UnknownMemberIdError, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.group import LeaveGroupRequest

from app.kafka.assignor import PROTOCOL
from app.kafka.coordinators import ask_group
from app.kafka.user_data import Unreadable, read_subscription

log = logging.getLogger(__name__)


async def remove_predecessors(client: AIOKafkaClient, group: str, process: str, *, within: float) -> int:
    """How many there were. Only for a `process` that cannot be alive twice. While the group changes, a broker does not
    tell what its members said; then nothing is removed. Raises KafkaError, TimeoutError."""
    answer = await ask_group(client, group, DescribeGroupsRequest([group]), _refusal, within)
    removed = 0
    for member in _of(process, answer):
        await ask_group(client, group, LeaveGroupRequest(group, member), _unless_gone, within)
        removed += 1
        log.info("removed %s from group %s: it was this process before it was killed", member, group)
    return removed


def _of(process: str, answer: Any) -> Iterator[str]:
    for row in answer.groups:
        protocol, members = row[4], row[5]
        if protocol != PROTOCOL:
            continue
        for member, _, _, metadata, _ in members:
            if metadata and _process(metadata) == process:
                yield member


def _process(metadata: bytes) -> str | None:
    try:
        return read_subscription(ConsumerProtocol.METADATA.decode(metadata).user_data).process
    except (Unreadable, ValueError):
        return None


def _refusal(answer: Any) -> KafkaError | None:
    codes = [row[0] for row in answer.groups if row[0]]
    return for_code(codes[0])() if codes else None


def _unless_gone(answer: Any) -> KafkaError | None:
    error = for_code(answer.error_code) if answer.error_code else None
    return None if error is None or error is UnknownMemberIdError else error()
