"""Topics left and right of texts, joined into out; and what each record brought."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.streams import Builder, StreamJoined
from app.streams.config import StreamsConfig
from app.streams.model import Headers, Record
from app.streams.serdes import utf8
from app.streams.testing import Driver
from app.streams.windows.definitions import JoinWindows

# (topic, value, time): all under one key.
Sent: TypeAlias = tuple[str, str | None, int]


def plus(left: str | None, right: str | None) -> str:
    return f"{left or '-'}{right or '-'}"


def windowed(method: str, windows: JoinWindows, config: StreamsConfig | None = None) -> Driver:
    """left `method` right within the windows."""
    builder = Builder(config)
    left, right = (builder.stream(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    joined: Any = getattr(left, method)(right, plus, windows, StreamJoined(utf8, utf8, utf8))
    joined.to("out", key=utf8, value=utf8)
    return Driver(builder.build())


def built(build: Callable[[Builder], Any], **partitions: int) -> Driver:
    """A topology whose result is a stream or table of texts; with partition counts in as many tasks."""
    builder = Builder()
    result = build(builder)
    stream = result.to_stream() if hasattr(result, "to_stream") else result
    stream.to("out", key=utf8, value=utf8)
    return Driver(builder.build(), partitions=partitions or None)


@dataclass
class Play:
    """Sends records and tells what each brought: `value@timestamp`."""

    driver: Driver

    def __post_init__(self) -> None:
        self._topics = {topic: self.driver.input(topic, utf8, utf8) for topic in ("left", "right")}
        self.out = self.driver.output("out", utf8, utf8)

    def send(self, topic: str, value: str | None, at: int, key: str | None = "k", headers: Headers = ()) -> list[str]:
        self._topics[topic].send(key, value, at, headers=headers)
        return [shown(record) for record in self.out.read_all()]

    def send_all(self, rows: Iterable[Sent]) -> list[str]:
        return [line for topic, value, at in rows for line in self.send(topic, value, at)]


def shown(record: Record[str | None, str | None]) -> str:
    return f"{record.value}@{record.timestamp}"
