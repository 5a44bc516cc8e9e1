"""What came out, read back and compared with what had to."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.compat_rows import Buffers
from benchmarks.race.broker import PARTITIONS
from benchmarks.race.load import Results

SHOWN: Final = 3
READ_WITHIN_S: Final = 120.0
BATCHES, ROWS = 64, 50_000
_decode = msgspec.json.Decoder().decode


class WrongResult(Exception):
    """Something else came out than had to."""


async def results(servers: str, topic: str, shape: str, *, json: bool) -> Results:
    """Of all committed outputs. json: counts are not 8 bytes and windows not in the key. Raw rows, for there are
    millions: what is lost or doubled on this way would be found wrong, too."""
    counts: Counter[bytes] = Counter()
    last: dict[bytes, int] = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_bytes=16 * 2**20,
        max_partition_fetch_bytes=4 * 2**20,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = {partition: end for partition, end in (await consumer.end_offsets(partitions)).items() if end}
        buffers = Buffers(consumer)
        async with asyncio.timeout(READ_WITHIN_S):
            while ends:
                if failed := buffers.error(ends.keys()):
                    raise failed[1]
                if not (taken := buffers.take(ends.keys(), BATCHES, ROWS)):
                    await buffers.arrival(0.1)
                for partition, rows, position in taken:
                    read = [_read(shape, row[2] or b"", row[3] or b"", json=json) for row in rows]
                    counts.update([key for key, _ in read])
                    last.update(read)
                    if position >= ends[partition]:
                        del ends[partition]
    finally:
        await consumer.stop()
    return {key: (count, last[key]) for key, count in counts.items()}


def _read(shape: str, key: bytes, value: bytes, *, json: bool) -> tuple[bytes, int]:
    if shape == "stateless":
        decoded = _decode(value)
        if decoded["name"] != "seen":
            raise WrongResult(f"{key!r} came out as {value!r}")
        return key, decoded["n"]
    if not json:
        return key, int.from_bytes(value, "big")
    decoded = _decode(value)
    if shape == "count":
        return key, decoded
    return key + decoded["start"].to_bytes(8, "big"), decoded["value"]


def check(found: Results, wanted: Results, *, every_update: bool) -> None:
    """Raises WrongResult. Without every update only the last of each key is compared."""
    keys = found.keys() | wanted.keys()
    nothing = (0, 0)
    wrong = [
        key
        for key in keys
        if (a := found.get(key, nothing))[1] != (b := wanted.get(key, nothing))[1] or (every_update and a != b)
    ]
    if wrong:
        shown = ", ".join(f"{key!r}: {found.get(key)} instead of {wanted.get(key)}" for key in sorted(wrong)[:SHOWN])
        raise WrongResult(f"{len(wrong)} of {len(keys)} keys are wrong (outputs, last number): {shown}")
