"""How many partitions a topic has of which nobody knew before: records may name where they go (B11)."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient

from app.kafka.compat_group import group_client


async def partition_count(consumer: AIOKafkaConsumer, topic: str) -> int | None:
    """None: there is no such topic, and asking makes none. Raises KafkaError."""
    cluster = await group_client(consumer).fetch_all_metadata()
    return len(cluster.partitions_for_topic(topic) or ()) or None


def heard(client: AIOKafkaClient, topic: str) -> int:
    """As a client knows without asking: it renews its metadata every so often, of the topics that it works with, and
    so hears of partitions that were added. 0: it does not know the topic, or not now."""
    return len(client.cluster.partitions_for_topic(topic) or ())
