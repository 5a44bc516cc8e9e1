"""How fast the input was dealt with, by what the broker itself noted: the offsets a group committed, and when."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.race.broker import OFFSETS_PARTITIONS

# A commit of one moment covers partition after partition.
TOGETHER_S: Final = 0.15
_SHORT, _LONG = struct.Struct(">h"), struct.Struct(">q")


class Commit(NamedTuple):
    """Up to `offset` one partition was done, `at` seconds of the broker's clock (Unix time)."""

    at: float
    partition: int
    offset: int


class Point(NamedTuple):
    at: float
    records: int


@dataclass(frozen=True)
class Span:
    """What was measured: from one commit to another."""

    begin: Point
    end: Point

    @property
    def records(self) -> int:
        return self.end.records - self.begin.records

    @property
    def rate(self) -> float:
        return self.records / (self.end.at - self.begin.at)


def span(commits: Sequence[Commit], warm: int, stopped: float, total: int) -> Span | None:
    """From the first commit that covers `warm` records to the last one made while work was left and before `stopped`.

    Both ends are commits of a steady run: neither the start nor the wait for the last commit counts. None: too short.
    """
    points = [point for point in progress(commits) if point.at <= stopped and point.records < total]
    begin = next((point for point in points if point.records >= warm), None)
    if begin is None or points[-1].at <= begin.at:
        return None
    return Span(begin, points[-1])


def progress(commits: Sequence[Commit]) -> list[Point]:
    """All partitions together, after each round of commits."""
    done: dict[int, int] = {}
    points: list[Point] = []
    for commit in sorted(commits):
        done[commit.partition] = max(done.get(commit.partition, 0), commit.offset)
        points.append(Point(commit.at, sum(done.values())))
    return [point for point, after in pairwise(points) if after.at - point.at > TOGETHER_S] + points[-1:]


async def commits(servers: str, group: str, topic: str) -> list[Commit]:
    """All that a group ever committed for a topic, in the broker's own log of it; of transactions those that held."""
    found: list[Commit] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        partitions = [TopicPartition("__consumer_offsets", number) for number in range(OFFSETS_PARTITIONS)]
        consumer.assign(partitions)
        for partition, end in (await consumer.end_offsets(partitions)).items():
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += [
                        commit
                        for record in records
                        if (commit := _decoded(record.key, record.value, group, topic)) is not None
                    ]
    finally:
        await consumer.stop()
    return found


def _decoded(key: bytes, value: bytes | None, group: str, topic: str) -> Commit | None:
    """Kafka's OffsetCommitKey (version 0 or 1) and OffsetCommitValue: 3 brought a leader epoch, 4 compact texts."""
    if value is None or _SHORT.unpack_from(key)[0] > 1:
        return None
    of_group, at = _text(key, 2)
    of_topic, at = _text(key, at)
    if (of_group, of_topic) != (group, topic):
        return None
    partition = int.from_bytes(key[at : at + 4], "big")
    version, (offset,) = _SHORT.unpack_from(value)[0], _LONG.unpack_from(value, 2)
    at = 14 if version >= 3 else 10
    at = _compact_end(value, at) if version >= 4 else _text(value, at)[1]
    (when,) = _LONG.unpack_from(value, at)
    return Commit(when / 1000, partition, offset)


def _compact_end(data: bytes, at: int) -> int:
    """Where a text ends whose length plus one, a varint, stands before it."""
    length = shift = 0
    while data[at] & 0x80:
        length |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    length |= data[at] << shift
    return at + length


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = _SHORT.unpack_from(data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length
