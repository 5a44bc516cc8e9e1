"""Why the topology is compiled into closures: the shapes an operator could have, timed on the same records.

Run: python benchmarks/shapes.py [records]
Two chains over ~100-byte JSON: filter, map, filter, sink; and filter, map, count with a changelog row per update.
Each figure is the best of five runs, also as a multiple of a bare decode-encode loop of the same records.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

Emit = Callable[[tuple[str, bytes, bytes]], None]
Step = Callable[[Any, Any], None]

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


def is_wanted(_key: Any, value: Any) -> bool:
    return bool(value["n"] >= 0)


def is_even(_key: Any, value: Any) -> bool:
    return bool(value["n"] & 1 == 0)


def renamed(_key: Any, value: Any) -> Any:
    value["seen"] = True
    return value


class Time:
    """Stands for the task's context: the timestamp of the record being processed."""

    __slots__ = ("timestamp",)

    def __init__(self) -> None:
        self.timestamp = 0


# closures: an operator is a function from its options and its `forward` to a `forward`


def closure_filter(predicate: Callable[[Any, Any], bool], forward: Step) -> Step:
    def step(key: Any, value: Any) -> None:
        if predicate(key, value):
            forward(key, value)

    return step


def closure_map_values(mapper: Callable[[Any, Any], Any], forward: Step) -> Step:
    def step(key: Any, value: Any) -> None:
        forward(key, mapper(key, value))

    return step


def closure_sink(emit: Emit) -> Step:
    def step(key: Any, value: Any) -> None:
        emit(("out", key, encode(value)))

    return step


def closure_count(store: dict[bytes, tuple[int, int]], now: Time, emit: Emit) -> Step:
    find = store.get

    def step(key: Any, _value: Any) -> None:
        old = find(key)
        count, timestamp = (1, now.timestamp) if old is None else (old[0] + 1, max(old[1], now.timestamp))
        store[key] = (count, timestamp)
        emit(("changelog", key, count.to_bytes(8, "big")))

    return step


# classes: a node object with a method and a list of children


class FilterNode:
    def __init__(self, predicate: Callable[[Any, Any], bool], child: Any) -> None:
        self.predicate = predicate
        self.child = child

    def process(self, key: Any, value: Any) -> None:
        if self.predicate(key, value):
            self.child.process(key, value)


class MapValuesNode:
    def __init__(self, mapper: Callable[[Any, Any], Any], child: Any) -> None:
        self.mapper = mapper
        self.child = child

    def process(self, key: Any, value: Any) -> None:
        self.child.process(key, self.mapper(key, value))


class SinkNode:
    def __init__(self, emit: Emit) -> None:
        self.emit = emit

    def process(self, key: Any, value: Any) -> None:
        self.emit(("out", key, encode(value)))


class CountNode:
    def __init__(self, store: dict[bytes, tuple[int, int]], now: Time, emit: Emit) -> None:
        self.store = store
        self.now = now
        self.emit = emit

    def process(self, key: Any, _value: Any) -> None:
        old = self.store.get(key)
        timestamp = self.now.timestamp
        count, timestamp = (1, timestamp) if old is None else (old[0] + 1, max(old[1], timestamp))
        self.store[key] = (count, timestamp)
        self.emit(("changelog", key, count.to_bytes(8, "big")))


# classes with a record object per forward, as in Java


class Message:
    __slots__ = ("key", "timestamp", "value")

    def __init__(self, key: Any, value: Any, timestamp: int) -> None:
        self.key = key
        self.value = value
        self.timestamp = timestamp


class RecordFilter(FilterNode):
    def take(self, message: Message) -> None:
        if self.predicate(message.key, message.value):
            self.child.take(message)


class RecordMapValues(MapValuesNode):
    def take(self, message: Message) -> None:
        value = self.mapper(message.key, message.value)
        self.child.take(Message(message.key, value, message.timestamp))


class RecordSink(SinkNode):
    def take(self, message: Message) -> None:
        self.emit(("out", message.key, encode(message.value)))


class RecordCount(CountNode):
    def take(self, message: Message) -> None:
        self.now.timestamp = message.timestamp
        self.process(message.key, message.value)


def stateless(shape: str, emit: Emit) -> Step:
    if shape == "closures":
        return closure_filter(is_wanted, closure_map_values(renamed, closure_filter(is_even, closure_sink(emit))))
    if shape == "classes":
        process: Step = FilterNode(is_wanted, MapValuesNode(renamed, FilterNode(is_even, SinkNode(emit)))).process
        return process
    chain = RecordFilter(is_wanted, RecordMapValues(renamed, RecordFilter(is_even, RecordSink(emit))))
    return lambda key, value: chain.take(Message(key, value, 0))


def counting(shape: str, emit: Emit) -> Step:
    store: dict[bytes, tuple[int, int]] = {}
    now = Time()
    if shape == "closures":
        return closure_filter(is_wanted, closure_map_values(renamed, closure_count(store, now, emit)))
    if shape == "classes":
        process: Step = FilterNode(is_wanted, MapValuesNode(renamed, CountNode(store, now, emit))).process
        return process
    chain = RecordFilter(is_wanted, RecordMapValues(renamed, RecordCount(store, now, emit)))
    return lambda key, value: chain.take(Message(key, value, 0))


def seconds(run: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best


def drive(build: Callable[[str, Emit], Step], shape: str, records: list[tuple[bytes, bytes]]) -> float:
    outputs: list[tuple[str, bytes, bytes]] = []
    step = build(shape, outputs.append)

    def run() -> None:
        outputs.clear()
        for key, value in records:
            step(key, decode(value))

    return seconds(run)


def main(size: int) -> None:
    records = [
        (b"key-%d" % (n % 1000), encode({"n": n * 2, "name": f"sensor-{n % 50}", "text": "x" * 50}))
        for n in range(size)
    ]

    def bare() -> None:
        for _, value in records:
            encode(decode(value))

    floor = seconds(bare)
    print(f"{size} records of {len(records[0][1])} bytes; bare decode-encode {floor / size * 1e6:.2f} us/record")
    for title, build in (("filter-map-filter-sink", stateless), ("filter-map-count", counting)):
        for shape in ("closures", "classes", "records"):
            took = drive(build, shape, records)
            each, rate, ratio = took / size * 1e6, size / took / 1000, took / floor
            print(f"{title:24} {shape:9} {each:5.2f} us  {rate:5.0f} k/s  {ratio:4.2f} x bare")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
