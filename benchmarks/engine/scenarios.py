"""What the benchmark runs: topologies as a user writes them, each beside a plain model of what must come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized, StreamJoined
from app.streams.model import Inbound
from app.streams.serdes import int64, json, utf8, windowed
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import JoinWindows, Tumbling

OUTPUT: Final = "out"
WINDOW: Final = 60_000
REACH: Final = 500

# (key, value, timestamp) of a record that must come out.
Expected: TypeAlias = tuple[bytes, bytes, int]
# Called with each record, in the order in which a task must take them. What a model keeps is bytes and numbers: objects
# that the garbage collector has to walk would count as the engine's time.
Model: TypeAlias = Callable[[str, Inbound], Iterator[Expected]]

Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Reading(msgspec.Struct):
    """The JSON values as a type."""

    n: Long
    name: str
    level: float
    on: bool
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """aim: records/s wanted of one core, 0 for none. lap: see `Source`."""

    title: str
    aim: int
    topics: tuple[str, ...]
    lap: int
    build: Callable[[Builder], None]
    model: Callable[[], Model]

    def topology(self, config: StreamsConfig) -> Topology:
        builder = Builder(config)
        self.build(builder)
        return builder.build()


def _stateless(builder: Builder) -> None:
    def renamed(_key: str, value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        value["name"] = "seen"
        return _key, value

    stream = builder.stream("in", key=utf8, value=json(dict)).filter(lambda _key, value: value["n"] % 10 != 9)
    stream.map(renamed).filter(lambda _key, value: value["level"] >= 0).to(OUTPUT, key=utf8, value=json(dict))


def _stateless_typed(builder: Builder) -> None:
    def renamed(_key: str, value: Reading) -> tuple[str, Reading]:
        value.name = "seen"
        return _key, value

    stream = builder.stream("in", key=utf8, value=json(Reading)).filter(lambda _key, value: value.n % 10 != 9)
    stream.map(renamed).filter(lambda _key, value: value.level >= 0).to(OUTPUT, key=utf8, value=json(Reading))


def _stateless_model() -> Model:
    def take(_topic: str, record: Inbound) -> Iterator[Expected]:
        _, timestamp, key, data, _ = record
        value = _decode(data or b"")
        if value["n"] % 10 != 9:
            value["name"] = "seen"
            yield key or b"", _encode(value), timestamp

    return take


def _count(builder: Builder) -> None:
    grouped = builder.stream("in", key=utf8, value=json(dict)).group_by_key()
    grouped.count(Materialized("counts")).to_stream().to(OUTPUT, key=utf8, value=int64)


def _count_model() -> Model:
    counts: dict[bytes, int] = {}

    def take(_topic: str, record: Inbound) -> Iterator[Expected]:
        key = record[2] or b""
        counts[key] = counts.get(key, 0) + 1
        yield key, counts[key].to_bytes(8, "big"), record[1]

    return take


def _tumbling(builder: Builder) -> None:
    grouped = builder.stream("in", key=utf8, value=json(dict)).group_by_key()
    counts = grouped.windowed_by(Tumbling(WINDOW, grace=WINDOW // 6)).count(Materialized("counts"))
    counts.to_stream().to(OUTPUT, key=windowed(utf8, WINDOW), value=int64)


def _tumbling_model() -> Model:
    starts: dict[bytes, int] = {}
    counts: dict[bytes, int] = {}

    def take(_topic: str, record: Inbound) -> Iterator[Expected]:
        key, start = record[2] or b"", record[1] // WINDOW * WINDOW
        # Time only goes on here: the window before is complete.
        counts[key] = counts[key] + 1 if starts.get(key) == start else 1
        starts[key] = start
        yield key + start.to_bytes(8, "big"), counts[key].to_bytes(8, "big"), record[1]

    return take


def _pair(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {"left": left["n"], "right": right["n"]}


def _stream_join(builder: Builder) -> None:
    left, right = (builder.stream(topic, key=utf8, value=json(dict)) for topic in ("left", "right"))
    options = StreamJoined(key=utf8, value=json(dict), other_value=json(dict))
    left.join(right, _pair, JoinWindows(REACH, REACH), options).to(OUTPUT, key=utf8, value=json(dict))


def _stream_left_join(builder: Builder) -> None:
    left, right = (builder.stream(topic, key=utf8, value=json(dict)) for topic in ("left", "right"))
    options = StreamJoined(key=utf8, value=json(dict), other_value=json(dict))

    def joined(left: dict[str, Any], right: dict[str, Any] | None) -> dict[str, Any]:
        return {"left": left["n"], "right": 0} if right is None else _pair(left, right)

    left.left_join(right, joined, JoinWindows(REACH, REACH), options).to(OUTPUT, key=utf8, value=json(dict))


def _stream_join_model() -> Model:
    """Of each pair of records the right one comes right after the left one, and the next pair is out of reach."""
    times: dict[bytes, int] = {}
    lefts: dict[bytes, bytes] = {}

    def take(topic: str, record: Inbound) -> Iterator[Expected]:
        _, timestamp, key, data, _ = record
        key, data = key or b"", data or b""
        if topic == "left":
            times[key], lefts[key] = timestamp, data
        elif timestamp - times[key] <= REACH:
            yield key, _encode(_pair(_decode(lefts[key]), _decode(data))), timestamp

    return take


def _table_join(builder: Builder) -> None:
    left, right = (builder.table(topic, key=utf8, value=json(dict)) for topic in ("left", "right"))
    left.join(right, _pair).to_stream().to(OUTPUT, key=utf8, value=json(dict))


def _table_join_model() -> Model:
    sides: dict[str, dict[bytes, bytes]] = {"left": {}, "right": {}}

    def take(topic: str, record: Inbound) -> Iterator[Expected]:
        key = record[2] or b""
        sides[topic][key] = record[3] or b""
        left, right = sides["left"].get(key), sides["right"].get(key)
        if left is not None and right is not None:
            yield key, _encode(_pair(_decode(left), _decode(right))), record[1]

    return take


# Every key four times a window; pairs of a join two seconds apart.
_ONE, _TWO = ("in",), ("left", "right")
SCENARIOS: Final = {
    "stateless": Scenario("filter, map, filter, sink", 400_000, _ONE, WINDOW // 4, _stateless, _stateless_model),
    "typed": Scenario("the same, values typed", 0, _ONE, WINDOW // 4, _stateless_typed, _stateless_model),
    "count": Scenario("count with changelog", 250_000, _ONE, WINDOW // 4, _count, _count_model),
    "tumbling": Scenario("tumbling window count", 150_000, _ONE, WINDOW // 4, _tumbling, _tumbling_model),
    "stream-stream": Scenario("stream-stream join", 80_000, _TWO, 2_000, _stream_join, _stream_join_model),
    "stream-left": Scenario("stream-stream left join", 0, _TWO, 2_000, _stream_left_join, _stream_join_model),
    "table-table": Scenario("table-table join", 100_000, _TWO, WINDOW // 4, _table_join, _table_join_model),
}
