"""What came out, read back and compared with what had to."""

from __future__ import annotations

from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.race.broker import PARTITIONS
from benchmarks.race.load import Results

SHOWN: Final = 3
_decode = msgspec.json.Decoder().decode


class WrongResult(Exception):
    """Something else came out than had to."""


async def results(servers: str, topic: str, shape: str, *, json: bool) -> Results:
    """Of all committed outputs. json: counts are not 8 bytes and windows not in the key."""
    found: Results = {}
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
        for partition, end in (await consumer.end_offsets(partitions)).items():
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        key, number = _read(shape, record.key, record.value, json=json)
                        found[key] = found.get(key, (0, 0))[0] + 1, number
    finally:
        await consumer.stop()
    return found


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
