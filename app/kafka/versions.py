"""The requests that the service cannot do without, in the versions that are spoken here."""

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
