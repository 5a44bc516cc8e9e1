"""Opening what a task stands on: its stores, and a queue for each partition it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from app.streams.config import wall_clock
from app.streams.context import Context
from app.streams.stores import RecordCache, open_store
from app.streams.stores.base import Base
from app.streams.stores.specs import StoreSpec
from app.streams.task.failures import Failures
from app.streams.task.queue import PartitionQueue, extractor_for
from app.streams.topology.nodes import SourceNode
from app.streams.topology.subtopologies import Subtopology
from app.streams.topology.topology import Topology

# Makes, or finds again, the committed rows of one store.
Bases: TypeAlias = Callable[[StoreSpec], Base]


def open_stores(topology: Topology, part: Subtopology, ctx: Context, partition: int, bases: Bases) -> dict[str, Any]:
    """The stores of a sub-topology, in the order of the first node that uses each."""
    config = topology.config
    cache = RecordCache(config.cache_bytes) if config.cache_bytes > 0 else None
    stores: dict[str, Any] = {}
    for name in part.stores(topology):
        entry = topology.globals.get(name)
        spec = entry.spec if entry is not None else topology.stores[name]
        logged = entry is None and spec.logging and name not in topology.restored_from
        changelog = topology.changelog(name)
        stores[name] = open_store(
            spec,
            bases(spec),
            ctx,
            subject=changelog,
            changelog=changelog if logged else None,
            partition=partition,
            every_put=config.log_every_put,
            cache=cache,
        )
    return stores


def open_queues(
    topology: Topology, part: Subtopology, partition: int, topics: Iterable[str], failures: Failures
) -> list[PartitionQueue]:
    """One queue per topic, with the functions that decode its records."""
    config = topology.config
    wanted = list(topics)
    found = []
    for source in part.sources(topology):
        extractor = extractor_for(source.extractor, config.default_extractor, internal=source.internal)
        if extractor is wall_clock:
            extractor = failures.clock
        key, value = source.key or config.default_key, source.value or config.default_value
        if key is None or value is None:
            raise AssertionError(f"a topology whose source {source.name} has no serde is refused")
        for topic in wanted:
            if _reads(topology, source, topic):
                decoders = (key.deserializer(topic), value.deserializer(topic))
                found.append(PartitionQueue(topic, partition, source.name, decoders, extractor, failures))
    return found


def _reads(topology: Topology, source: SourceNode, topic: str) -> bool:
    if source.pattern is not None:
        return source.pattern.fullmatch(topic) is not None
    return any(topology.topic_name(name) == topic for name in source.topics)
