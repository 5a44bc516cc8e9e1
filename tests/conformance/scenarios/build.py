"""Building blocks of scenarios: steps, events and the scenario around them, in the words of the vectors' format."""

from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]
Lambda = str | list[Any]

RESTART: Json = {"restart": True}
_UNBOUND = {
    "to",
    "foreach",
    "split",
    "add_store",
    "add_global_store",
    "add_source",
    "add_processor",
    "add_sink",
    "add_state_store",
    "connect_stores",
    "add_read_only_store",
}


class Steps:
    """Collects the steps of a topology; each call returns the name its result is bound to."""

    def __init__(self) -> None:
        self.rows: list[Json] = []

    def __call__(self, op: str, source: str | None = None, /, **fields: Any) -> str:
        name = f"{op}{len(self.rows)}"
        step: Json = {} if op in _UNBOUND else {"let": name}
        step["op"] = op
        if source is not None:
            step["from"] = source
        self.rows.append(step | fields)
        return name

    def stream(self, topic: str, value: str = "string", key: str = "string", **fields: Any) -> str:
        return self("stream", topics=[topic], key=key, value=value, **fields)

    def table(self, topic: str, value: str = "string", key: str = "string", **fields: Any) -> str:
        return self("table", topic=topic, key=key, value=value, **fields)

    def to(self, source: str, topic: str = "out", value: str = "string", key: str = "string", **fields: Any) -> None:
        self("to", source, topic=topic, key=key, value=value, **fields)

    def emit(self, table: str, topic: str = "out", value: str = "string", key: str = "string") -> None:
        """A table as a stream to a topic."""
        self.to(self("to_stream", table), topic, value, key)

    def label(self, table: str, topic: str = "out", value: str = "string") -> None:
        """A windowed table to a topic, its keys as text."""
        self.to(self("to_stream", table, fn="window_label"), topic, value)


def store(name: str, value: str = "string", key: str = "string", **fields: Any) -> Json:
    """A Materialized with a name."""
    return {"name": name, "key": key, "value": value} | fields


def given(**fields: Any) -> Json:
    """The fields that are not None: an absent argument is not passed."""
    return {name: value for name, value in fields.items() if value is not None}


def event(topic: str, key: Any, value: Any, ts: int, *headers: tuple[str, str | None]) -> Json:
    row: Json = {"topic": topic, "key": key, "value": value, "ts": ts}
    return row | {"headers": [list(header) for header in headers]} if headers else row


def feed(topic: str, *rows: tuple[Any, Any, int]) -> list[Json]:
    """Records of one topic: (key, value, ts)."""
    return [event(topic, *row) for row in rows]


def wall(millis: int) -> Json:
    return {"advance_wall": millis}


def scenario(name: str, features: str, about: str, steps: Steps, events: list[Json], **config: Any) -> Json:
    """A scenario without its expectations; `features` are ids separated by spaces.

    One that Java must refuse says so with an `about` that begins with "refused", one that must die with "dies".
    """
    head: Json = {"name": name, "features": features.split(), "about": about}
    if config:
        head["config"] = config
    return head | {"topology": steps.rows, "events": events}


def prefixed(prefix: str, rows: Iterable[Json]) -> Iterator[Json]:
    """The same scenarios under names that begin with the prefix."""
    for row in rows:
        yield row | {"name": f"{prefix}-{row['name']}"}
