"""Metadata as values: brokers, topics and what we may do with them."""

from dataclasses import dataclass

from app.kafka.addresses import join_address
from app.kafka.connection import Connection
from app.kafka.requests import (
    METADATA,
    METADATA_WITH_IDS,
    METADATA_WITH_OPERATIONS,
    NO_ID,
    Answer,
    Code,
    Operation,
)

UNKNOWN = -(2**31)


@dataclass(frozen=True, slots=True)
class TopicState:
    name: str
    code: int
    """NONE, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED …"""
    leaders: tuple[int, ...]
    """Of each partition, in order; -1: has none."""
    replicas: int
    """Copies of a partition."""
    allowed: frozenset[int] | None
    """Operations that we may do; None: the broker does not tell."""
    id: str = ""
    """Tells it from an earlier topic of its name; empty: the broker does not tell."""
    internal: bool = False
    """Of Kafka itself."""

    @property
    def partitions(self) -> int:
        return len(self.leaders)

    def allows(self, operation: Operation) -> bool | None:
        return None if self.allowed is None else operation in self.allowed


@dataclass(frozen=True, slots=True)
class Cluster:
    id: str
    controller: int
    brokers: dict[int, str]
    """Node id → host:port as advertised."""
    topics: dict[str, TopicState]


async def describe(connection: Connection, topics: list[str] | None, timeout: float = 2.0) -> Cluster:
    """None: all topics that we may see. Creates no topic, whatever the broker's auto.create.topics.enable.

    Raises what `Connection.ask` raises.
    """
    if connection.takes(METADATA_WITH_IDS):
        rows: list[tuple[str, str, object]] | None = None if topics is None else [(NO_ID, name, {}) for name in topics]
        answer = await connection.ask(METADATA_WITH_IDS, rows, False, False, True, {}, timeout=timeout)
    elif connection.takes(METADATA_WITH_OPERATIONS):
        answer = await connection.ask(METADATA_WITH_OPERATIONS, topics, False, False, True, timeout=timeout)
    else:
        answer = await connection.ask(METADATA, topics, False, timeout=timeout)
    return Cluster(
        answer["cluster_id"] or "",
        answer["controller_id"],
        {broker["node_id"]: join_address(broker["host"], broker["port"]) for broker in answer["brokers"]},
        {topic["name"]: _topic(topic) for topic in answer["topics"]},
    )


def _topic(answer: Answer) -> TopicState:
    partitions = sorted(answer["partitions"], key=lambda partition: int(partition["partition_index"]))
    return TopicState(
        answer["name"],
        answer["error_code"],
        tuple(partition["leader_id"] for partition in partitions),
        max((len(partition["replica_nodes"]) for partition in partitions), default=0),
        operations(answer.get("topic_authorized_operations", UNKNOWN)),
        "" if answer.get("topic_id", NO_ID) == NO_ID else answer["topic_id"],
        answer["is_internal"],
    )


def operations(bits: int) -> frozenset[int] | None:
    return None if bits == UNKNOWN else frozenset(bit for bit in range(31) if bits >> bit & 1)


def missing(topic: TopicState | None) -> bool:
    return topic is None or topic.code == Code.UNKNOWN_TOPIC_OR_PARTITION
