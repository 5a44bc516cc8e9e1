"""A windowed concatenation over one topic, and what it hands on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.model import Headers, Record, Windowed
from app.streams.serdes import utf8
from app.streams.testing.driver import Driver
from app.streams.windows.definitions import Emit, Sessions, Windows

LONG_GRACE = 1_000_000


def label(window: Windowed[str], _value: object) -> str:
    return f"{window.key}@{window.start}-{window.end}"


def concatenation(
    windows: Windows, emit: Emit | None = None, config: StreamsConfig | None = None, retention: int | None = None
) -> Driver:
    """Topic in → values of a key and window, one after the other → topic out, keys as text."""
    builder = Builder(config)
    kept: Materialized[str, str] = Materialized("fold", value=utf8, retention=retention)
    grouped = builder.stream("in", key=utf8, value=utf8).group_by_key()
    if isinstance(windows, Sessions):
        sessions = grouped.windowed_by(windows, emit)
        table = sessions.aggregate(str, _add, lambda _key, one, other: one + other, kept)
    else:
        table = grouped.windowed_by(windows, emit).aggregate(str, _add, kept)
    table.to_stream(label).to("out", key=utf8, value=utf8)
    return Driver(builder.build())


def _add(_key: str, value: str | None, so_far: str) -> str | None:
    return None if value == "!" else so_far + (value or "~")


@dataclass
class Play:
    """Sends records and tells what each brought: `label=value at timestamp`."""

    driver: Driver

    def __post_init__(self) -> None:
        self._in = self.driver.input("in", utf8, utf8)
        self._out = self.driver.output("out", utf8, utf8)

    def send(self, value: str | None, at: int, key: str | None = "k", headers: Headers = ()) -> list[str]:
        self._in.send(key, value, at, headers=headers)
        return [shown(record) for record in self._out.read_all()]

    def send_all(self, rows: Iterable[tuple[str | None, int]]) -> list[str]:
        return [line for value, at in rows for line in self.send(value, at)]

    def records(self, value: str | None, at: int, headers: Headers = ()) -> list[Record[Any, Any]]:
        self._in.send("k", value, at, headers=headers)
        return list(self._out.read_all())


def shown(record: Record[Any, Any]) -> str:
    return f"{record.key}={record.value} at {record.timestamp}"


def play(
    windows: Windows, emit: Emit | None = None, config: StreamsConfig | None = None, retention: int | None = None
) -> Play:
    return Play(concatenation(windows, emit, config, retention))
