"""The input, and what must come out of any beginning of it."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiokafka import AIOKafkaProducer

from app.streams.hashing import partition_for
from benchmarks.race.broker import PARTITIONS, make

VALUE_BYTES: Final = 100
WINDOW: Final = 10_000
BATCH_BYTES: Final = 256 * 1024
# No number of keys used here divides it: every key has its turn once a lap, in an order no cache likes.
_STRIDE: Final = 2_654_435_761

# Key of an output (for windows with the start behind it) → how many outputs, and the number in the last one.
Results: TypeAlias = dict[bytes, tuple[int, int]]


@dataclass(frozen=True)
class Load:
    """`numbers` holds for each partition the record numbers in it, in order. A record is a ms later than the last."""

    topic: str
    keys: int
    begin: int
    numbers: tuple[array[int], ...]

    @property
    def records(self) -> int:
        return sum(map(len, self.numbers))

    def expected(self, shape: str, offsets: Mapping[int, int]) -> Results:
        """What must have come out when the input was processed up to these offsets."""
        results: Results = {}
        windowed = shape == "window"
        first = self.begin // WINDOW
        for partition, end in offsets.items():  # each has keys of its own
            numbers = list(self.numbers[partition][:end])
            if shape == "stateless":
                numbers = [number for number in numbers if number % 10 != 9]
            rows = [number * _STRIDE % self.keys for number in numbers]
            if windowed:
                windows = [(self.begin + number) // WINDOW - first for number in numbers]
                rows = [row + window * self.keys for row, window in zip(rows, windows, strict=True)]
            last = dict(zip(rows, numbers, strict=True))
            for row, count in Counter(rows).items():
                window, index = divmod(row, self.keys)
                key = _key(index) + (((first + window) * WINDOW).to_bytes(8, "big") if windowed else b"")
                results[key] = count, last[row] if shape == "stateless" else count
        return results


def key_of(number: int, keys: int) -> bytes:
    return _key(number * _STRIDE % keys)


def _key(index: int) -> bytes:
    return b"key-%07d" % index


def value_of(number: int) -> bytes:
    value = b'{"n":%d,"name":"sensor-%d","level":%d,"on":true,"text":"' % (number, number % 50, number % 1000)
    return value.ljust(VALUE_BYTES - 2, b"x") + b'"}'


async def produce(servers: str, topic: str, records: int, keys: int) -> Load:
    """Makes the topic and fills it. Event time ends about now: older rows of a window would be deleted."""
    await make(servers, [topic], {"retention.ms": "-1"})
    load = Load(topic, keys, time.time_ns() // 1_000_000 - records, tuple(array("I") for _ in range(PARTITIONS)))
    partition_of: dict[bytes, int] = {}
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        max_request_size=8 * BATCH_BYTES,
    )
    await producer.start()
    try:
        batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for number in range(records):
            key = key_of(number, keys)
            partition = partition_of.get(key)
            if partition is None:
                partition = partition_of[key] = partition_for(key, PARTITIONS)
            value = value_of(number)
            if batches[partition].append(key=key, value=value, timestamp=load.begin + number) is None:
                await producer.send_batch(batches[partition], topic, partition=partition)
                batches[partition] = producer.create_batch()
                batches[partition].append(key=key, value=value, timestamp=load.begin + number)
            load.numbers[partition].append(number)
        for partition, batch in enumerate(batches):
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    return load
