"""The requests that the service cannot do without, in the versions that are spoken here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spoken:
    """The versions of a request that both aiokafka 0.14 and `requests` can do with."""

    name: str
    key: int
    lowest: int
    highest: int


NEEDED = (
    Spoken("Produce", 0, 3, 7),
    Spoken("Fetch", 1, 4, 11),
    Spoken("ListOffsets", 2, 1, 3),
    Spoken("Metadata", 3, 4, 5),
    Spoken("OffsetCommit", 8, 2, 3),
    Spoken("OffsetFetch", 9, 2, 3),
    Spoken("FindCoordinator", 10, 1, 1),
    Spoken("JoinGroup", 11, 0, 5),
    Spoken("Heartbeat", 12, 0, 1),
    Spoken("LeaveGroup", 13, 0, 1),
    Spoken("SyncGroup", 14, 0, 3),
    Spoken("CreateTopics", 19, 2, 3),
    Spoken("InitProducerId", 22, 0, 0),
)
NEEDED_BY_STREAMS = (
    Spoken("OffsetFetch", 9, 7, 7),
    Spoken("DeleteRecords", 21, 1, 1),
    Spoken("AddPartitionsToTxn", 24, 0, 0),
    Spoken("AddOffsetsToTxn", 25, 0, 0),
    Spoken("EndTxn", 26, 0, 0),
    Spoken("TxnOffsetCommit", 28, 3, 3),
    Spoken("DescribeConfigs", 32, 1, 1),
)
"""Besides. The youngest of them came with Kafka 2.5 (KIP-447)."""

Offered = tuple[int, int]
"""Lowest and highest version that a broker takes."""


def lacking(offered: Mapping[int, Offered], needed: Iterable[Spoken]) -> tuple[Spoken, Offered | None] | None:
    """The first request that a broker does not take as it is spoken here, and what it takes."""
    for spoken in needed:
        span = offered.get(spoken.key)
        if span is None or span[0] > spoken.highest or span[1] < spoken.lowest:
            return spoken, span
    return None
