"""Sinks: the last step of a path, which turns key and value into a row to be produced (B10-B12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streams import hashing
from app.streams.context import Context
from app.streams.errors import StreamsError
from app.streams.model import Forward, RecordMetadata
from app.streams.serdes import Serde, SessionWindowedSerde, WindowedSerde
from app.streams.topology.nodes import Partitioner, SinkNode
from app.streams.topology.runtime import TaskParts
from app.streams.topology.topology import Topology


def compile_sink(node: SinkNode, topology: Topology, parts: TaskParts) -> Forward:
    """The step of a sink: serialize, choose the partition if it is ours to choose, emit."""
    key_serde, value_serde = node.key or parts.config.default_key, node.value or parts.config.default_value
    if key_serde is None or value_serde is None:
        raise AssertionError(f"a topology whose sink {node.name} has no serde is refused")
    inner = _inner(key_serde)
    if not isinstance(node.topic, str):
        return _by_record(node, key_serde, value_serde, parts)
    topic = topology.topic_name(node.topic)
    if node.partitioner is not None:
        return _partitioned(topic, key_serde, value_serde, node.partitioner, parts)
    # Java puts its WindowedStreamPartitioner into plain sinks only; repartition sinks leave the choice to the producer.
    if inner is not None and not node.internal:
        return _partitioned(topic, key_serde, value_serde, _by_inner_key(inner), parts)
    return _plain(topic, key_serde, value_serde, parts.ctx)


def _plain(topic: str, key_serde: Serde[Any], value_serde: Serde[Any], ctx: Context) -> Forward:
    emit = ctx.emit
    key_bytes, value_bytes = key_serde.serializer(topic), value_serde.serializer(topic)

    def step(key: Any, value: Any) -> None:
        emit(
            (
                topic,
                None,
                None if key is None else key_bytes(key),
                None if value is None else value_bytes(value),
                ctx.timestamp,
                ctx.headers,
            )
        )

    return step


def _partitioned(
    topic: str, key_serde: Serde[Any], value_serde: Serde[Any], partitioner: Partitioner, parts: TaskParts
) -> Forward:
    ctx, emit, count_of = parts.ctx, parts.ctx.emit, parts.partitions
    key_bytes, value_bytes = key_serde.serializer(topic), value_serde.serializer(topic)

    def step(key: Any, value: Any) -> None:
        count = count_of(topic)
        if count is None:
            raise StreamsError(f"the partitions of topic {topic} are not known, but its partitioner needs them")
        chosen = partitioner(topic, key, value, count)
        raw_key = None if key is None else key_bytes(key)
        raw_value = None if value is None else value_bytes(value)
        if chosen is None:
            emit((topic, None, raw_key, raw_value, ctx.timestamp, ctx.headers))
            return
        if not chosen:
            ctx.dropped()
        for partition in chosen:
            if not 0 <= partition < count:
                raise StreamsError(f"the partitioner of topic {topic} chose {partition}, but it has {count} partitions")
            emit((topic, partition, raw_key, raw_value, ctx.timestamp, ctx.headers))

    return step


def _by_record(node: SinkNode, key_serde: Serde[Any], value_serde: Serde[Any], parts: TaskParts) -> Forward:
    """A sink whose topic differs by record: one compiled sink per topic seen."""
    ctx = parts.ctx
    name_topic = node.topic
    sinks: dict[str, Forward] = {}
    inner = _inner(key_serde)
    partitioner = node.partitioner if node.partitioner is not None or inner is None else _by_inner_key(inner)

    def step(key: Any, value: Any) -> None:
        topic = name_topic(key, value, RecordMetadata(ctx.topic, ctx.partition, ctx.offset))  # type: ignore[operator]
        if topic is None:
            raise StreamsError(f"the function that names the topic of {node.name} gave None")
        sink = sinks.get(topic)
        if sink is None:
            sink = sinks[topic] = (
                _plain(topic, key_serde, value_serde, ctx)
                if partitioner is None
                else _partitioned(topic, key_serde, value_serde, partitioner, parts)
            )
        sink(key, value)

    return step


def _inner(serde: Serde[Any]) -> Serde[Any] | None:
    return serde.inner if isinstance(serde, WindowedSerde | SessionWindowedSerde) else None


def _by_inner_key(inner: Serde[Any]) -> Partitioner:
    """Windowed keys are partitioned by the key inside, so all windows of a key share a partition."""
    bound: dict[tuple[str, int], tuple[Callable[[Any], bytes], hashing.Partitioner]] = {}

    def partition(topic: str, key: Any, _value: Any, count: int) -> tuple[int, ...] | None:
        if key is None:
            return None
        found = bound.get((topic, count))
        if found is None:
            found = bound[topic, count] = inner.serializer(topic), hashing.Partitioner(count)
        serialize, partitions = found
        return (partitions[serialize(key[0])],)

    return partition
