"""What can go wrong, and whose fault it is.

StreamsError
├── TopologyError          the topology cannot work; `faults` lists every reason   (Java: TopologyException)
├── RecordError            one record could not be handled; says which, where and in which node
│   ├── DeserializationError   its bytes
│   ├── ProcessingError        the code of a node, or a serializer on the way into a store
│   ├── TimestampError         its timestamp, or the function that extracts one
│   └── ProductionError        what was to be produced from it could not be serialized or sent to a topic
├── InvalidTimestamp       a timestamp extractor refused the record
├── StoreRefused           an argument or operation a store does not take (IllegalArgument, UnsupportedOperation)
├── BufferFull             a suppress buffer that must not lose rows is full
└── TaskMisused            the caller broke the protocol of a task (a commit while one is under way, …)
"""

from __future__ import annotations

from collections.abc import Sequence


class StreamsError(Exception):
    """Any error of the stream engine."""


class TopologyError(StreamsError):
    """A topology that cannot work; every fault found, in the user's terms."""

    def __init__(self, faults: str | Sequence[str]) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("the topology cannot work:" + "".join(f"\n- {fault}" for fault in self.faults))


class RecordError(StreamsError):
    """One record that could not be handled: where it came from, and the node it fell in."""

    stage = "handled"

    def __init__(self, cause: BaseException, *, origin: str, node: str, task: str) -> None:
        self.origin, self.node, self.task = origin, node, task
        super().__init__(
            f"{origin} could not be {self.stage} in {node} of task {task}: {type(cause).__name__}: {cause}"
        )


class DeserializationError(RecordError):
    stage = "decoded"


class ProcessingError(RecordError):
    stage = "processed"


class TimestampError(RecordError):
    stage = "given a timestamp"


class ProductionError(RecordError):
    stage = "produced"


class InvalidTimestamp(StreamsError):
    """A record without a usable timestamp met an extractor that does not skip (A2)."""


class StoreRefused(StreamsError, ValueError):
    """An argument or operation that this kind of store does not take."""


class BufferFull(StreamsError):
    """A suppress buffer with `shut_down` reached its limit (G6)."""


class TaskMisused(StreamsError):
    """A call a task cannot take in its present state."""
