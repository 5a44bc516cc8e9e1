"""Dead letters, read back: those of consumer C and those of a stream topology."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from app.errors import BrokerUnavailable
from app.kafka.clients import Target
from app.kafka.closing import close
from app.kafka.dead_letters import PREFIX
from app.kafka.failures import describe, fatal
from app.kafka.fetching import fetch, row_consumer, seek
from app.streams.model import Headers, Inbound, TopicPartition

CUT = ("key.length", "value.length", "headers.length")
_SILENCE_S = 30.0
CLOSE_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record as it came, and what was said of it: the part of each header's name behind its prefix → text."""

    place: TopicPartition
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    said: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.place.topic}/{self.place.partition}:{self.offset}"

    @property
    def source(self) -> TopicPartition | None:
        """None: it came from no record, but from a punctuation."""
        topic, partition = self.said.get("topic", ""), self.said.get("partition", "")
        return TopicPartition(topic, int(partition)) if topic and partition.isdecimal() else None

    @property
    def origin(self) -> str:
        """The record's name, in the form of `name`."""
        source = self.source
        return f"{source.topic}/{source.partition}:{self.said.get('offset', '?')}" if source else "no record"

    @property
    def reason(self) -> str:
        """C's word, else the last part of the exception's name."""
        return self.said.get("reason") or self.said.get("exception", "").rpartition(".")[2] or "unknown"

    @property
    def cut(self) -> bool:
        """It was too large to be kept whole."""
        return any(name in self.said for name in CUT)


def letter(place: TopicPartition, row: Inbound) -> DeadLetter:
    offset, timestamp, key, value, headers = row
    own = tuple(header for header in headers if not header[0].startswith(PREFIX))
    said = {
        name.removeprefix(PREFIX): (text or b"").decode("utf-8", "replace")
        for name, text in headers
        if name.startswith(PREFIX)
    }
    return DeadLetter(place, offset, timestamp, key, value, own, said)


class Letters:
    """Of one topic, as they were when it was opened."""

    def __init__(self, consumer: AIOKafkaConsumer, spans: Mapping[TopicPartition, tuple[int, int]]) -> None:
        self._consumer = consumer
        self.spans = spans
        """Partition → offset of its first record and the end, behind the last that is committed."""

    async def read(self, within: Mapping[TopicPartition, tuple[int, int]] | None = None) -> AsyncIterator[DeadLetter]:
        """In the order of each partition. within: only these partitions, each from an offset up to the one before
        another. Raises ServiceError."""
        open_still: dict[TopicPartition, int] = {}
        for place, (first, end) in (self.spans if within is None else within).items():
            start, stop = max(first, self.spans[place][0]), min(end, self.spans[place][1])
            if start < stop:
                seek(self._consumer, place, start)
                open_still[place] = stop
        while open_still:
            try:
                taken = await fetch(self._consumer, open_still, timeout_ms=_SILENCE_S * 1000)
            except KafkaError as error:
                raise _failure(error, "read dead letters") from error
            if not taken:
                raise BrokerUnavailable("the dead letters cannot be read: Kafka gave nothing for 30 s")
            for place, rows, reached, _ in taken:
                end = open_still[place]
                for row in rows:
                    if row[0] < end:
                        yield letter(place, row)
                if reached >= end:
                    del open_still[place]


@asynccontextmanager
async def open_letters(target: Target, topic: str, partitions: int) -> AsyncIterator[Letters]:
    """Committed ones only. Raises ServiceError."""
    consumer = row_consumer(target.options, isolation_level="read_committed")
    try:
        await consumer.start()
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        firsts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        spans = {place: (firsts[place], ends[place]) for place in places}
        yield Letters(consumer, spans)
    except KafkaError as error:
        raise _failure(error, f"read {topic}") from error
    finally:
        await close(consumer.stop(), within=CLOSE_WITHIN_S)


def _failure(error: KafkaError, what: str) -> Exception:
    return fatal(error, who="we", what=what) or BrokerUnavailable(f"cannot {what}: {describe(error)}")
