"""A dictionary for a broker: what was written to each partition, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.streams.hashing import partition_for
from app.streams.model import Inbound, Row, TopicPartition
from app.streams.stores.store import Restored


class Topics:
    """Logs of all topics. counts: partitions of topics that have more than one."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self.counts = dict(counts) if counts is not None else {}
        self._logs: dict[TopicPartition, list[Inbound]] = {}

    def partitions(self, topic: str) -> int:
        return self.counts.get(topic, 1)

    def choose(self, topic: str, key: bytes | None) -> int:
        """As Java's producer does for keys; records without one go to partition 0."""
        count = self.partitions(topic)
        return partition_for(key, count) if key is not None and count > 1 else 0

    def append(self, row: Row, now: int, *, offset: int | None = None) -> tuple[int, Inbound]:
        """Write a row; a row without a timestamp gets the clock's. Gives the partition and the record as read back."""
        partition = row.partition if row.partition is not None else self.choose(row.topic, row.key)
        log = self._logs.setdefault(TopicPartition(row.topic, partition), [])
        timestamp = row.timestamp if row.timestamp is not None else now
        record = (len(log) if offset is None else offset, timestamp, row.key, row.value, row.headers)
        log.append(record)
        return partition, record

    def read(self, topic: str, partition: int) -> list[Inbound]:
        return self._logs.get(TopicPartition(topic, partition), [])

    def names(self) -> list[str]:
        return sorted({where.topic for where in self._logs})

    def restorable(self, topic: str, partition: int) -> Iterator[Restored]:
        """The records as stores are restored from them."""
        for _, timestamp, key, value, headers in self.read(topic, partition):
            yield key, value, timestamp, headers
