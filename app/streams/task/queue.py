"""The records of one partition that wait, and the one at their head, decoded (A1-A4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from app.streams.config import Extractor, record_time
from app.streams.model import Forward, Headers, Inbound

if TYPE_CHECKING:
    from app.streams.context import Context
    from app.streams.task.failures import Failures

UNKNOWN = -1


class Head(NamedTuple):
    """A decoded record, next to be taken."""

    timestamp: int
    topic: str
    offset: int
    key: Any
    value: Any
    headers: Headers
    raw_key: bytes | None
    raw_value: bytes | None


# Head(...) runs a Python-level __new__; this takes the tuple as it is.
_head: Callable[[tuple[Any, ...]], Head] = partial(tuple.__new__, Head)


class PartitionQueue:
    """One per source partition of a task.

    time: partition time, over the records taken (A4). position: offset after the last record that came in.
    lag: records known to wait on the broker; None until a fetch told.
    """

    __slots__ = (
        "_failures",
        "_origins",
        "decode_key",
        "decode_value",
        "extractor",
        "head",
        "idle_since",
        "lag",
        "node",
        "partition",
        "position",
        "rows",
        "step",
        "time",
        "topic",
    )

    def __init__(
        self,
        topic: str,
        partition: int,
        node: str,
        decoders: tuple[Callable[[bytes], Any], Callable[[bytes], Any]],
        extractor: Extractor,
        failures: Failures,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.node = node
        self.decode_key, self.decode_value = decoders
        # None: the record's own timestamp as it is, if it has one; the common case, kept free of a call per record.
        self.extractor = None if extractor is record_time else extractor
        self._failures = failures
        self.step: Forward = _not_compiled
        self.rows: deque[Inbound] = deque()
        # For a pattern whose topics share this queue, as in Java's test driver: each record's own topic.
        self._origins: deque[str] | None = None
        self.head: Head | None = None
        self.time = UNKNOWN
        self.position: int | None = None
        self.lag: int | None = None
        self.idle_since: int | None = None

    def __len__(self) -> int:
        return len(self.rows) + (self.head is not None)

    @property
    def shared(self) -> bool:
        return self._origins is not None

    def share(self) -> None:
        """From now on records say their own topic."""
        self._origins = deque()

    def add(self, topic: str, rows: Iterable[Inbound]) -> None:
        before = len(self.rows)
        self.rows.extend(rows)
        if self._origins is not None:
            self._origins.extend([topic] * (len(self.rows) - before))
        if self.rows:
            self.position = self.rows[-1][0] + 1
            self.idle_since = None

    def committable(self) -> int | None:
        """The offset to commit: of the oldest record still here, else the position (reference 2.7)."""
        if self.head is not None:
            return self.head.offset
        return self.rows[0][0] if self.rows else self.position

    def advance(self, ctx: Context) -> bool:
        """Decode the next record that can be used into `head`; whether there is one."""
        while self.head is None and self.rows:
            offset, timestamp, raw_key, raw_value, headers = inbound = self.rows.popleft()
            topic = self.topic if self._origins is None else self._origins.popleft()
            try:
                key = None if raw_key is None else self.decode_key(raw_key)
                value = None if raw_value is None else self.decode_value(raw_value)
            except Exception as cause:  # noqa: BLE001  # any serde; the handler judges
                self._failures.undecodable(topic, self, inbound, cause)
                continue
            if self.extractor is not None or timestamp < 0:
                timestamp = self.timestamp_of(topic, inbound, key, value)
                if timestamp < 0:
                    ctx.dropped()
                    continue
            self.head = _head((timestamp, topic, offset, key, value, headers, raw_key, raw_value))
        return self.head is not None

    def timestamp_of(self, topic: str, inbound: Inbound, key: Any, value: Any) -> int:
        """The timestamp the extractor gives; negative means drop (A3)."""
        try:
            return (self.extractor or record_time)(key, value, inbound[1], self.time)
        except Exception as cause:
            raise self._failures.untimed(topic, self, inbound, cause) from cause


def extractor_for(node_extractor: Extractor | None, default: Extractor, *, internal: bool) -> Extractor:
    """Repartition topics always use their records' own timestamps, whatever is configured (A3)."""
    if internal:
        return record_time
    return node_extractor if node_extractor is not None else default


def _not_compiled(_key: Any, _value: Any) -> None:
    raise AssertionError("the task was not started")
