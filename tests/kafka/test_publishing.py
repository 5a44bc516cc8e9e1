"""What a publisher does with a topic that takes less than it sends."""

import asyncio

from app.kafka.clients import client_options
from app.kafka.link import Link
from app.kafka.opening import idempotent_producer
from app.kafka.publishing import Publication, Publisher
from app.kafka.reopening import reopening
from app.settings import KafkaSettings
from tests.kafka.granting import create_topic


async def nothing() -> None:
    """There is nothing to prepare, and nobody to reach."""


async def test_a_topic_that_takes_not_even_one_number_is_said_and_tried_ever_more_slowly(kafka: str) -> None:
    await create_topic(kafka, "published-not", 1, max_message_bytes="20")
    options = client_options(KafkaSettings(), (kafka,))
    link = Link(kafka, nothing)
    link._up.set()  # noqa: SLF001 - no watch runs: the broker is there
    async with reopening(lambda: idempotent_producer(options), nothing, link) as client:
        publisher = Publisher(Publication("A", "published-not", b"run"), client)
        publishing = asyncio.create_task(publisher.publish([2]))
        await asyncio.wait({publishing}, timeout=2)
        assert publisher.blocked == "published-not takes not even one number: raise its max.message.bytes"
        assert 1 <= publisher.failures <= 6
        publishing.cancel()
        await asyncio.wait({publishing})


async def test_numbers_go_in_smaller_batches_to_a_topic_that_takes_little(kafka: str) -> None:
    await create_topic(kafka, "published-little", 1, max_message_bytes="2000")
    options = client_options(KafkaSettings(), (kafka,))
    link = Link(kafka, nothing)
    link._up.set()  # noqa: SLF001 - no watch runs: the broker is there
    async with reopening(lambda: idempotent_producer(options), nothing, link) as client, asyncio.timeout(20):
        publisher = Publisher(Publication("A", "published-little", b"run"), client)
        await publisher.publish(range(0, 400, 2))
        assert publisher.blocked == ""
        assert publisher.failures >= 1
