"""Questions to the coordinator of a group or of a transactional id, asked again until it can answer."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import ConcurrentTransactions, KafkaError

BACKOFF = 0.02
"""Seconds: most of what is waited for are the last milliseconds of a transaction."""

Verdict = Callable[[Any], KafkaError | None]
"""What an answer says is wrong."""


async def ask_group(client: AIOKafkaClient, group: str, request: Any, verdict: Verdict, within: float) -> Any:
    """Raises KafkaError, and TimeoutError after `within` seconds."""
    return await _ask(client, (CoordinationType.GROUP, group), request, verdict, within)


async def ask_transactional_id(
    client: AIOKafkaClient, transactional_id: str, request: Any, verdict: Verdict, within: float
) -> Any:
    """Raises KafkaError, and TimeoutError after `within` seconds."""
    return await _ask(client, (CoordinationType.TRANSACTION, transactional_id), request, verdict, within)


async def _ask(
    client: AIOKafkaClient, coordinator: tuple[CoordinationType, str], request: Any, verdict: Verdict, within: float
) -> Any:
    obstacle: KafkaError | None = None
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    node = await client.coordinator_lookup(*coordinator)
                    answer = await client.send(node, request, group=ConnectionGroup.COORDINATION)
                    error = verdict(answer)
                except KafkaError as failure:
                    error = failure
                if error is None:
                    return answer
                if not (error.retriable or isinstance(error, ConcurrentTransactions)):
                    raise error
                obstacle = error
                await asyncio.sleep(BACKOFF)
    except TimeoutError as error:
        kind, name = coordinator
        what = f"the coordinator of {kind.name.lower()} {name} has not settled it within {within} s"
        raise TimeoutError(f"{what}: {obstacle or 'no answer'}") from (obstacle or error)
