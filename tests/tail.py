"""What comes to a topic after a moment: committed records and no others, as any client of Kafka reads them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition

PATIENCE = 30.0


class Record(NamedTuple):
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Tail:
    """Where it begins is settled when it is made: topics are shared by the tests of a run."""

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self.records: list[Record] = []
        self._consumer = consumer
        self._topic = topic
        found = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        self._from = consumer.end_offsets(found) if found else {}
        self._take(self._from)

    def until(self, enough: Callable[[list[Record]], bool], what: str, within: float = PATIENCE) -> list[Record]:
        """Everything so far, as soon as it is enough."""
        deadline = time.monotonic() + within
        while not enough(self.records):
            assert time.monotonic() < deadline, f"{self._topic}: {what}; {len(self.records)}: {self.records[-3:]}"
            self.more()
        return self.records

    def more(self, timeout_ms: int = 100) -> None:
        if not self._from:  # it was not there yet
            found = [TopicPartition(self._topic, number) for number in self._partitions()]
            self._from = dict.fromkeys(found, 0)
            self._take(self._from)
        for records in self._consumer.poll(timeout_ms).values() if self._from else ():
            self.records += [
                Record(each.partition, each.offset, each.timestamp, each.key, each.value, each.headers)
                for each in records
            ]

    def _partitions(self) -> Sequence[int]:
        self._consumer.topics()  # asks the broker
        return sorted(self._consumer.partitions_for_topic(self._topic) or ())

    def _take(self, where: dict[TopicPartition, int]) -> None:
        self._consumer.assign(list(where))
        for partition, offset in where.items():
            self._consumer.seek(partition, offset)


@contextmanager
def tailing(server: str, topic: str, *, committed: bool = True) -> Iterator[Tail]:
    isolation = "read_committed" if committed else "read_uncommitted"
    with closing(KafkaConsumer(bootstrap_servers=server, isolation_level=isolation)) as consumer:
        yield Tail(consumer, topic)
