"""Typed ends of a topic in a test (P4; Java: TestInputTopic, TestOutputTopic)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from app.streams.model import Headers, Record

if TYPE_CHECKING:
    from app.streams.serdes import Serde
    from app.streams.testing.driver import Driver

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
U = TypeVar("U")


class InputTopic(Generic[K, V]):
    """Where a test sends records to."""

    def __init__(self, driver: Driver, topic: str, key: Serde[K], value: Serde[V], start: int, step: int) -> None:
        self._driver = driver
        self.topic = topic
        self._key = key.serializer(topic)
        self._value = value.serializer(topic)
        self._next = start
        self._step = step

    def send(
        self,
        key: K | None,
        value: V | None,
        at: int | None = None,
        *,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """One record at a time in ms; without a time, the next of the topic's own series."""
        if at is None:
            at = self._next
            self._next += self._step
        raw_key = _converted(self._key, key, f"sending a key to topic {self.topic!r}")
        raw_value = _converted(self._value, value, f"sending a value to topic {self.topic!r}")
        self._driver.send(self.topic, raw_key, raw_value, at, headers, partition=partition)

    def send_all(self, pairs: Iterable[tuple[K | None, V | None]]) -> None:
        for key, value in pairs:
            self.send(key, value)


class OutputTopic(Generic[K, V]):
    """Where a test reads from. Each record is read once, in the order of sending."""

    def __init__(self, driver: Driver, topic: str, key: Serde[K], value: Serde[V]) -> None:
        self._driver = driver
        self.topic = topic
        self._key = key.deserializer(topic)
        self._value = value.deserializer(topic)
        self._seen = 0

    def read(self) -> Record[K | None, V | None]:
        """The next record; an AssertionError that says what was sent instead if there is none."""
        records = self._take(1)
        if not records:
            written = Counter(row.topic for row in self._driver.sent)
            counts = ", ".join(f"{topic} ({count})" for topic, count in sorted(written.items()))
            raise AssertionError(
                f"topic {self.topic!r} has no more records; records written so far: {counts or 'none'}; "
                f"dropped: {self._driver.dropped}"
            )
        return records[0]

    def read_all(self) -> list[Record[K | None, V | None]]:
        return self._take(len(self._driver.sent))

    def read_pairs(self) -> list[tuple[K | None, V | None]]:
        """Keys and values of what is left, which is what most tests compare."""
        return [(record.key, record.value) for record in self.read_all()]

    def read_latest(self) -> dict[K | None, V | None]:
        """The last value of each key in what is left."""
        return dict(self.read_pairs())

    def __len__(self) -> int:
        """How many records are left."""
        return sum(row.topic == self.topic for row in self._driver.sent[self._seen :])

    def _take(self, limit: int) -> list[Record[K | None, V | None]]:
        found: list[Record[K | None, V | None]] = []
        while self._seen < len(self._driver.sent) and len(found) < limit:
            row = self._driver.sent[self._seen]
            self._seen += 1
            if row.topic == self.topic:
                key = _converted(self._key, row.key, f"reading a key of topic {self.topic!r}")
                value = _converted(self._value, row.value, f"reading a value of topic {self.topic!r}")
                timestamp = row.timestamp if row.timestamp is not None else self._driver.now
                found.append(Record(key, value, timestamp, row.headers))
        return found


def _converted(convert: Callable[[T], U], given: T | None, doing: str) -> U | None:
    """Null stays null; a serde that does not fit says where."""
    if given is None:
        return None
    try:
        return convert(given)
    except Exception as cause:
        cause.add_note(f"while {doing}: {given!r}")
        raise
