"""Where a partition without a committed offset is begun (auto.offset.reset, or the source's own rule)."""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer

from app.errors import ConfigError
from app.streams.model import TopicPartition
from app.streams.topology.nodes import Reset


async def starting_offsets(
    consumer: AIOKafkaConsumer, rules: Mapping[TopicPartition, Reset | int | None], now: int
) -> dict[TopicPartition, int]:
    """None is EARLIEST; a number begins so many ms before `now`. Raises ConfigError for NONE, KafkaError."""
    refused = sorted(where for where, rule in rules.items() if rule is Reset.NONE)
    if refused:
        names = ", ".join(f"{topic}-{partition}" for topic, partition in refused)
        raise ConfigError(
            f"no offset is committed for {names}, and their source says not to choose one",
            try_next="commit offsets for the group (python -m app reset), or give the source a reset rule",
        )
    latest = [where for where, rule in rules.items() if rule is Reset.LATEST]
    earliest = [where for where, rule in rules.items() if rule is Reset.EARLIEST or rule is None]
    timed = {where: now - rule for where, rule in rules.items() if isinstance(rule, int)}
    found: dict[TopicPartition, int] = {}
    if earliest:
        found |= await consumer.beginning_offsets(earliest)
    if timed:
        for where, at in (await consumer.offsets_for_times(timed)).items():
            if at is None:
                latest.append(where)
            else:
                found[where] = at.offset
    if latest:
        found |= await consumer.end_offsets(latest)
    return {TopicPartition(topic, partition): offset for (topic, partition), offset in found.items()}
