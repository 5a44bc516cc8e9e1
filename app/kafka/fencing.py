"""Ending what the dead have left open, instead of waiting until it times out."""

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.transaction import InitProducerIdRequest

from app.kafka.coordinators import ask_transactional_id


async def fence(client: AIOKafkaClient, transactional_id: str, *, timeout_ms: int, within: float) -> None:
    """When it returns, no transaction of this id is open and no producer that has it so far can commit another.

    Only for ids of members that are gone: a living one would have to begin again. `timeout_ms` is the transaction
    time-out that the id keeps. Raises KafkaError, and TimeoutError after `within` seconds.
    """
    request = InitProducerIdRequest(transactional_id, timeout_ms)
    await ask_transactional_id(client, transactional_id, request, _refusal, within)


def _refusal(answer: Any) -> KafkaError | None:
    return for_code(answer.error_code)() if answer.error_code else None
