"""aiokafka's clients with every option that matters said aloud: few of its defaults are safe here."""

from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from app.kafka.compat import IdempotentProducer
from app.settings.model import ConsumerSettings

BATCH_BYTES = 900_000
"""A little below the 1 MiB that a topic takes unless told otherwise; a single larger record is sent all the same."""

REBALANCE_SHARE = 0.8
"""Of the request time-out: joining a group is one request, which must outlast the rebalance it waits for."""


def idempotent_producer(options: dict[str, Any]) -> IdempotentProducer:
    """Confirmed by all in-sync replicas; repeats without doubling, for as long as it takes."""
    return IdempotentProducer(
        **options,
        max_batch_size=BATCH_BYTES,
        linger_ms=0,
    )


def group_consumer(
    options: dict[str, Any], topic: str, consumer: ConsumerSettings, listener: ConsumerRebalanceListener
) -> AIOKafkaConsumer:
    """A member that starts at the earliest offset and commits only when told to. Values stay bytes: an error in a
    deserializer would cost the records that were fetched with it."""
    client = AIOKafkaConsumer(
        **options,
        group_id=consumer.group_id,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        check_crcs=True,
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=consumer.session_timeout_ms,
        heartbeat_interval_ms=min(1_000, consumer.session_timeout_ms // 3),
        rebalance_timeout_ms=rebalance_timeout_ms(options),
        max_poll_interval_ms=2**31 - 1,  # a reader of our output may pause for as long as it likes
        fetch_max_wait_ms=100,
        fetch_max_bytes=8 * 1024 * 1024,
    )
    client.subscribe([topic], listener=listener)
    return client


def rebalance_timeout_ms(options: dict[str, Any]) -> int:
    return int(options["request_timeout_ms"] * REBALANCE_SHARE)
