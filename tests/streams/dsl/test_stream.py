"""Stateless operators, alone and in chains, through the driver."""

from __future__ import annotations

from typing import assert_type

import pytest

from app.streams.config import ALL_OPTIMIZATIONS, StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.dsl.stream import Branch, Stream
from app.streams.dsl.table import Table
from app.streams.errors import TopologyError
from app.streams.serdes import int64, utf8, windowed
from app.streams.testing.driver import Driver
from app.streams.topology.description import describe
from app.streams.topology.nodes import Reset, SinkNode, SourceNode


def words(builder: Builder) -> Stream[str, str]:
    return builder.stream("lines", key=utf8, value=utf8)


def run(builder: Builder, *pairs: tuple[str | None, str | None]) -> Driver:
    driver = Driver(builder.build())
    driver.input("lines", utf8, utf8).send_all(pairs)
    return driver


def test_types_are_inferred_through_a_chain() -> None:
    builder = Builder()
    stream = words(builder)
    assert_type(stream.map_values(lambda _, line: len(line)), Stream[str, int])
    assert_type(stream.map(lambda key, line: (len(line), key)), Stream[int, str])
    assert_type(stream.flat_map_values(lambda _, line: line.split()).select_key(lambda _, w: len(w)), Stream[int, str])
    counts = stream.group_by(lambda _, line: len(line), key=int64, value=utf8).count()
    assert_type(counts, Table[int, int])
    assert_type(counts.map_values(lambda _, n: str(n)).to_stream(), Stream[int, str])


def test_a_key_change_needs_a_topic_only_where_keys_must_be_in_place() -> None:
    builder = Builder()
    mapped = words(builder).map(lambda key, line: (line, key))
    mapped.map_values(lambda _, key: key).to("plain", key=utf8, value=utf8)
    assert not builder.build().internal

    builder = Builder()
    words(builder).map(lambda key, line: (line, key)).group_by_key(key=utf8, value=utf8).count(Materialized("c"))
    assert list(builder.build().internal) == ["c-repartition"]

    builder = Builder()
    words(builder).map_values(lambda _, line: line).group_by_key(key=utf8, value=utf8).count(Materialized("c"))
    assert not builder.build().internal


def test_the_first_matching_branch_wins_and_the_default_takes_the_rest() -> None:
    builder = Builder()
    short, empty, rest = (
        words(builder)
        .split(
            Branch(lambda _, line: len(line) < 3, "short"),
            Branch(lambda _, line: line == ""),
            Branch(),
        )
        .values()
    )
    for name, stream in {"short": short, "empty": empty, "rest": rest}.items():
        stream.to(name)
    driver = run(builder, ("a", "x"), ("b", ""), ("c", "long"))
    assert driver.output("short", utf8, utf8).read_pairs() == [("a", "x"), ("b", "")]
    assert driver.output("empty", utf8, utf8).read_pairs() == []
    assert driver.output("rest", utf8, utf8).read_pairs() == [("c", "long")]


def test_branches_are_named_after_the_splitter() -> None:
    builder = Builder()
    made = words(builder).split(Branch(lambda k, v: True), Branch(lambda k, v: True, "-b"), Branch(), name="cut-")
    assert list(made) == ["cut-1", "cut--b", "cut-0"]


def test_a_default_branch_in_front_of_others_is_a_fault() -> None:
    builder = Builder()
    words(builder).split(Branch(), Branch(lambda k, v: True))
    with pytest.raises(TopologyError, match="not the last"):
        builder.build()


def test_streams_of_one_topic_share_one_source() -> None:
    builder = Builder()
    words(builder).to("one")
    words(builder).to("two")
    topology = builder.build()
    assert [node.name for node in topology.nodes.values() if isinstance(node, SourceNode)] == [
        "KSTREAM-SOURCE-0000000000"
    ]
    driver = Driver(topology)
    driver.input("lines", utf8, utf8).send("k", "v", 1)
    assert [row.topic for row in driver.sent] == ["one", "two"]


def test_streams_of_one_topic_must_agree_on_the_reset() -> None:
    builder = Builder()
    builder.stream("lines", reset=Reset.EARLIEST)
    builder.stream("lines", reset=Reset.LATEST)
    with pytest.raises(TopologyError, match="different resets"):
        builder.build()


def test_a_topic_cannot_be_a_stream_and_a_table() -> None:
    builder = Builder()
    words(builder).to("out")
    builder.table("lines", key=utf8, value=utf8)
    with pytest.raises(TopologyError, match="topic lines is read by two sources"):
        builder.build()


def test_every_fault_is_listed_at_once() -> None:
    builder = Builder()
    words(builder).to("bad topic", name="sink")
    words(builder).to("out", name="sink")
    with pytest.raises(TopologyError) as caught:
        builder.build()
    assert len(caught.value.faults) == 2


def test_null_keys_do_not_pass_a_repartition() -> None:
    builder = Builder()
    words(builder).repartition(name="mine", key=utf8, value=utf8).to("out")
    driver = run(builder, (None, "lost"), ("k", "kept"))
    assert driver.output("out", utf8, utf8).read_pairs() == [("k", "kept")]
    assert driver.dropped == 0


def test_windowed_keys_are_partitioned_by_the_key_inside() -> None:
    builder = Builder()
    builder.stream("in", key=windowed(utf8, 10), value=utf8).to("out")
    builder.stream("in", key=windowed(utf8, 10), value=utf8).to("chosen", partitioner=lambda *_: None)
    driver = Driver(builder.build())
    driver.send("in", b"k" + bytes(8), b"v", 1)
    assert [(row.topic, row.partition) for row in driver.sent] == [("out", 0), ("chosen", None)]


def test_a_partitioner_may_drop_and_multiply() -> None:
    builder = Builder()
    words(builder).to("out", partitioner=lambda _topic, _key, value, count: range(count) if value == "all" else ())
    driver = Driver(builder.build(), partitions={"lines": 1, "out": 3})
    driver.input("lines", utf8, utf8).send_all([("k", "all"), ("k", "none")])
    assert [row.partition for row in driver.sent] == [0, 1, 2]
    assert driver.dropped == 1


def test_explicit_names_can_be_demanded() -> None:
    builder = Builder(StreamsConfig(explicit_names=True))
    words(builder).group_by(lambda _, line: line, key=utf8, value=utf8).count()
    with pytest.raises(TopologyError, match=r"need names of their own: .*-repartition"):
        builder.build()
    builder = Builder(StreamsConfig(explicit_names=True))
    words(builder).group_by(lambda _, line: line, name="by-line", key=utf8, value=utf8).count(Materialized("counts"))
    builder.build()


def test_optimized_repartitions_below_one_key_change_become_one_topic() -> None:
    def build(config: StreamsConfig) -> list[str]:
        builder = Builder(config)
        keyed = words(builder).select_key(lambda _, line: line)
        keyed.group_by_key(key=utf8, value=utf8).count()
        keyed.filter(lambda k, v: True).group_by_key(key=utf8, value=utf8).reduce(lambda a, b: a + b)
        topology = builder.build()
        return [
            node.topic for node in topology.nodes.values() if isinstance(node, SinkNode) and isinstance(node.topic, str)
        ]

    assert len(build(StreamsConfig())) == 2
    assert build(StreamsConfig(optimization=ALL_OPTIMIZATIONS)) == [
        "KSTREAM-AGGREGATE-STATE-STORE-0000000002-repartition"
    ]


def test_a_value_change_in_between_keeps_repartitions_apart() -> None:
    builder = Builder(StreamsConfig(optimization=ALL_OPTIMIZATIONS))
    keyed = words(builder).select_key(lambda _, line: line)
    keyed.group_by_key(key=utf8, value=utf8).count()
    keyed.map_values(lambda _, line: len(line)).group_by_key(key=utf8, value=int64).count()
    assert len(builder.build().internal) == 2


def test_describe_is_stable() -> None:
    builder = Builder()
    words(builder).filter(lambda k, v: True, name="keep").to("out", name="sink")
    assert describe(builder.build()) == (
        "Topologies:\n"
        "   Sub-topology: 0\n"
        "    Source: KSTREAM-SOURCE-0000000000 (topics: [lines])\n"
        "      --> keep\n"
        "    Processor: keep (stores: [])\n"
        "      --> sink\n"
        "      <-- KSTREAM-SOURCE-0000000000\n"
        "    Sink: sink (topic: out)\n"
        "      <-- keep\n\n"
    )
