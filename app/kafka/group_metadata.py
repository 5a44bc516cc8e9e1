"""Which member of which group speaks: what lets a group's coordinator refuse the offsets of the dead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupMetadata:
    """org.apache.kafka.clients.consumer.ConsumerGroupMetadata. Capture it while an assignment is taken over: a client
    that has lost its membership calls itself member "" of generation -1, and Kafka does not fence that one."""

    group: str
    generation: int
    member: str
    instance: str | None = None
    """group.instance.id of a static member."""

    def __post_init__(self) -> None:
        if not self.group or self.generation < 0 or not self.member:
            raise ValueError(f"{self} names no member of a group: nothing would fence its offsets")
