"""Serdes that Java takes from the defaults, and what happens where there is none (a deliberate difference)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.streams import (
    Builder,
    Joined,
    JoinWindows,
    Materialized,
    Stream,
    StreamJoined,
    StreamsConfig,
    TopologyError,
)
from app.streams.serdes import int64, raw, utf8
from app.streams.topology.nodes import SinkNode

Step = Callable[[Stream[str, str]], Any]


def joined(stream: Stream[str, str]) -> None:
    stream.join(
        stream.builder.stream("other", key=utf8, value=utf8), lambda one, other: one + other, JoinWindows.within(5)
    )


def cogrouped(stream: Stream[str, str]) -> None:
    stream.group_by_key().cogroup(lambda _key, value, so_far: so_far + value).aggregate(
        str, Materialized("kept", value=utf8)
    )


STEPS: dict[str, Step] = {
    "join": joined,
    "cogroup": cogrouped,
    "merge": lambda stream: stream.merge(stream).to("out"),
    "repartition": lambda stream: stream.repartition().to("out"),
    "group_by_key": lambda stream: stream.group_by_key(name="group").reduce(max, Materialized("kept")),
    "group_by": lambda stream: stream.group_by(lambda key, _value: key, key=utf8).reduce(max, Materialized("kept")),
}


@pytest.mark.parametrize("step", STEPS)
def test_without_defaults_the_stream_s_own_serdes_hold(step: str) -> None:
    builder = Builder()
    STEPS[step](builder.stream("in", key=utf8, value=utf8))
    topology = builder.build()
    assert all((spec.key, spec.value) == (utf8, utf8) for spec in topology.stores.values())
    sinks = [node for node in topology.nodes.values() if isinstance(node, SinkNode)]
    assert all((node.key, node.value) == (utf8, utf8) for node in sinks)
    assert topology.stores or sinks


@pytest.mark.parametrize("step", ["join", "cogroup"])
def test_defaults_come_first_as_in_java(step: str) -> None:
    builder = Builder(StreamsConfig(default_key=raw, default_value=raw))
    STEPS[step](builder.stream("in", key=utf8, value=utf8))
    assert all(spec.key is raw for spec in builder.build().stores.values())


def test_a_serde_that_nobody_knows_is_one_fault_for_all_places() -> None:
    builder = Builder()
    lengths = builder.stream("in", key=utf8, value=utf8).map_values(lambda _key, value: len(value))
    lengths.to("out")
    lengths.group_by_key().reduce(max, Materialized("longest"))
    lengths.group_by_key().count(Materialized("number", value=int64))
    with pytest.raises(TopologyError) as error:
        builder.build()
    [fault] = error.value.faults
    assert fault.startswith("there is no serde for the values of ")
    assert "store longest" in fault
    assert "number" not in fault


def test_options_may_be_made_with_their_types_written_out() -> None:
    # Python 3.11 cannot make a subscripted generic that is frozen and slotted.
    assert Materialized[str, int]("counts").name == "counts"
    assert StreamJoined[str, int, int](name="meet").name == "meet"
    assert Joined[str, int, int](grace=5).grace == 5
