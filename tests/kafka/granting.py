"""What an administrator does for a test: rights for a user, topics."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from app.kafka.admin import NewTopic, open_admin
from app.kafka.clients import target
from app.kafka.connecting import connect
from app.kafka.requests import Api, Operation
from app.settings import KafkaSettings

_text = String("utf-8")
_CREATE_ACLS = Api(
    "CreateAcls",
    30,
    1,
    Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", _text),
                ("resource_pattern_type", Int8),
                ("principal", _text),
                ("host", _text),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    ),
    Schema(("throttle_time_ms", Int32), ("results", Array(("error_code", Int16), ("error_message", _text)))),
)
_RESOURCES = {"topic": 2, "group": 3, "transactional id": 5}
_LITERAL, _ALLOW = 3, 3


async def allow(address: str, user: str, operation: Operation, kind: str, name: str) -> None:
    row = (_RESOURCES[kind], name, _LITERAL, f"User:{user}", "*", int(operation), _ALLOW)
    async with connect(target(KafkaSettings(), (address,)), address) as connection:
        answer = await connection.ask(_CREATE_ACLS, [row])
    assert [result["error_code"] for result in answer["results"]] == [0]


async def create_topic(address: str, name: str, partitions: int = 6, **configs: str) -> None:
    """Returns when the broker shows it. `configs`: max_message_bytes for max.message.bytes."""
    new = NewTopic(name, partitions, -1, {key.replace("_", "."): value for key, value in configs.items()})
    async with open_admin(target(KafkaSettings(), (address,))) as admin:
        assert await admin.create_topic(new, await admin.describe([]))
        async with asyncio.timeout(10):
            while (await admin.describe([name])).topics[name].partitions != partitions:  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.02)


T = TypeVar("T")


async def becomes(ask: Callable[[], Awaitable[T]], wanted: T) -> T:
    """The last answer: `wanted`, or what it still is after a while. A broker heeds new rights a moment later."""
    until = time.monotonic() + 10
    while (answer := await ask()) != wanted and time.monotonic() < until:  # noqa: ASYNC110  # no event tells
        await asyncio.sleep(0.05)
    return answer
