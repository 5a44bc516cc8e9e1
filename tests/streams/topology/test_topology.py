"""Faults of topologies made node by node, and the Processor API's rules."""

from __future__ import annotations

from typing import Any

import pytest

from app.streams.config import StreamsConfig
from app.streams.errors import ProcessingError, TopologyError
from app.streams.model import Record, RecordMetadata
from app.streams.serdes import int64, utf8
from app.streams.stores.specs import KeyValueSpec, StoreSpec
from app.streams.testing.driver import Driver
from app.streams.topology.nodes import SourceNode
from app.streams.topology.processor import Process, ProcessorContext
from app.streams.topology.runtime import Clock
from app.streams.topology.topology import Topology

COUNTS = KeyValueSpec(name="counts", key=utf8, value=int64)


class Silent:
    def process(self, _record: Record[Any, Any], /) -> None: ...


class Counter:
    """Counts by key; `stores` makes it bring its own store."""

    closed: list[str] = []  # noqa: RUF012  # shared on purpose: tells the test that a task closed its processor

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._store = context.store("counts")

    def process(self, record: Record[str, str], /) -> None:
        count = (self._store.get(record.key) or 0) + 1
        self._store.put(record.key, count)
        self._context.forward(record.with_value(count))

    def close(self) -> None:
        self.closed.append("closed")

    @staticmethod
    def stores() -> list[StoreSpec]:
        return [COUNTS]


def base(config: StreamsConfig | None = None) -> Topology:
    return Topology(config).add_source("source", "in", key=utf8, value=utf8)


@pytest.mark.parametrize(
    ("build", "fault"),
    [
        (lambda t: t.add_source("source", "other"), "two nodes named source"),
        (lambda t: t.add_source("again", "in"), "topic in is read by two sources"),
        (lambda t: t.add_source("all", pattern="i.*"), "matches a topic of source"),
        (lambda t: t.add_source("none"), "neither topics nor a pattern"),
        (lambda t: t.add_processor("p", Silent, "nowhere"), "parent nowhere, which was not added"),
        (lambda t: t.add_processor("p", Silent), "node p has no parent"),
        (lambda t: t.add_sink("s", "out", "source").add_processor("p", Silent, "s"), "has the sink s as parent"),
        (lambda t: t.connect("source", "counts"), "uses the store counts, which was not added"),
        (lambda t: t.add_store(COUNTS, "source"), "no such processor node"),
        (
            lambda t: t.add_store(COUNTS).add_store(KeyValueSpec(name="counts", key=utf8, value=utf8)),
            "two stores named",
        ),
        (lambda t: t.add_sink("s", "a/b", "source"), "has characters other than"),
        (lambda t: t.add_sink("s", "out", "source"), "no serde for the keys of s"),
    ],
)
def test_faults(build: Any, fault: str) -> None:
    topology = base()
    build(topology)
    with pytest.raises(TopologyError, match=fault):
        topology.validate()


def test_a_processor_brings_its_store_and_is_closed() -> None:
    Counter.closed.clear()
    topology = (
        base().add_processor("counter", Counter, "source").add_sink("sink", "out", "counter", key=utf8, value=int64)
    )
    with Driver(topology) as driver:
        source = driver.input("in", utf8, utf8)
        source.send("a", "x")
        source.send("a", "y")
        assert driver.output("out", utf8, int64).read_latest() == {"a": 2}
    assert Counter.closed == ["closed"]


class Scripted:
    """Does what the test says, with the context at hand."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def init(self, context: ProcessorContext) -> None:
        self._context = context

    def process(self, record: Record[Any, Any], /) -> None:
        self._run(self._context, record)


def scripted(run: Any, config: StreamsConfig | None = None) -> Driver:
    topology = base(config).add_processor("node", lambda: Scripted(run), "source")
    for name in ("left", "right"):
        topology.add_sink(name, f"{name}-out", "node", key=utf8, value=utf8)
    return Driver(topology)


def test_forward_reaches_all_children_or_the_one_named() -> None:
    def run(context: ProcessorContext, record: Record[Any, Any]) -> None:
        context.forward(record)
        context.forward(record.with_timestamp(record.timestamp + 5).with_headers((("h", b"1"),)), to="right")

    driver = scripted(run)
    driver.input("in", utf8, utf8).send("k", "v", 1)
    assert [(row.topic, row.timestamp, row.headers) for row in driver.sent] == [
        ("left-out", 1, ()),
        ("right-out", 1, ()),
        ("right-out", 6, (("h", b"1"),)),
    ]


def test_a_forwarded_time_is_not_seen_by_siblings() -> None:
    topology = base().add_processor(
        "node", lambda: Scripted(lambda context, record: context.forward(record.with_timestamp(9))), "source"
    )
    topology.add_sink("below", "below-out", "node", key=utf8, value=utf8)
    topology.add_sink("beside", "beside-out", "source", key=utf8, value=utf8)
    driver = Driver(topology)
    driver.input("in", utf8, utf8).send("k", "v", 1)
    assert [(row.topic, row.timestamp) for row in driver.sent] == [("below-out", 9), ("beside-out", 1)]


def test_forwarding_to_a_stranger_says_who_the_children_are() -> None:
    driver = scripted(lambda context, record: context.forward(record, to="nobody"))
    with pytest.raises(ProcessingError, match="children: left, right"):
        driver.input("in", utf8, utf8).send("k", "v", 1)


def test_a_store_must_be_connected() -> None:
    driver = scripted(lambda context, record: context.store("counts"))
    with pytest.raises(ProcessingError, match="not connected to a store named 'counts'; connected: none"):
        driver.input("in", utf8, utf8).send("k", "v", 1)


def test_metadata_is_that_of_the_record_and_of_nothing_in_a_punctuator() -> None:
    seen: list[RecordMetadata] = []

    def run(context: ProcessorContext, _record: Record[Any, Any]) -> None:
        seen.append(context.record_metadata)
        context.schedule(10, Clock.WALL_CLOCK, lambda _: seen.append(context.record_metadata))

    driver = scripted(run)
    driver.input("in", utf8, utf8).send("k", "v", 1)
    driver.advance(10)
    assert seen == [("in", 0, 0), (None, -1, -1)]


def test_every_processor_can_be_wrapped() -> None:
    names: list[str] = []

    def wrap(node: str, processor: Any) -> Any:
        names.append(node)
        return processor

    scripted(lambda context, record: None, StreamsConfig(wrap_processor=wrap))
    assert names == ["node"]


class Writer:
    def init(self, context: ProcessorContext) -> None:
        self._store = context.store("counts")

    def process(self, record: Record[str, int], /) -> None:
        self._store.put(record.key, record.value)


def test_a_global_store_can_be_read_by_all_and_written_by_its_keeper_only() -> None:
    topology = base()
    topology.add_global_store(COUNTS, SourceNode("g", ("counts",), key=utf8, value=int64), "keeper", Process(Writer))
    topology.add_processor("intruder", Writer, "source")
    driver = Driver(topology)
    driver.input("counts", utf8, int64).send("a", 3)
    assert driver.store("counts").get("a") == 3
    with pytest.raises(ProcessingError, match="can only be read here"):
        driver.input("in", utf8, utf8).send("a", "x", 1)


def test_a_global_store_is_read_again_after_a_restart() -> None:
    topology = base()
    topology.add_global_store(COUNTS, SourceNode("g", ("counts",), key=utf8, value=int64), "keeper", Process(Writer))
    topology.add_sink("sink", "out", "source", key=utf8, value=utf8)
    driver = Driver(topology)
    driver.input("counts", utf8, int64).send("a", 3)
    driver.restart()
    assert driver.store("counts").get("a") == 3


def test_negative_times_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        Record("k", "v", -1)
