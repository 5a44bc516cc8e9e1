"""Holding back a table's updates (G1-G7)."""

from __future__ import annotations

from typing import Any

import pytest

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.graph import GraphNode
from app.streams.dsl.options import Materialized
from app.streams.dsl.suppressing import Buffer, UntilTimeLimit, UntilWindowCloses, WhenFull, closes_after
from app.streams.dsl.table import Table
from app.streams.errors import ProcessingError, TopologyError
from app.streams.model import Headers, Windowed
from app.streams.serdes import utf8
from app.streams.testing.driver import Driver
from app.streams.windows.definitions import Sessions, Sliding, Tumbling, Windows

TEXTS = StreamsConfig(default_key=utf8, default_value=utf8)


class Sut:
    """A suppressed table from topic in to topic out."""

    def __init__(self, table: Table[Any, str], *, windowed: bool = False) -> None:
        stream = table.to_stream(_label) if windowed else table.to_stream()
        stream.to("out", key=utf8, value=utf8)
        self.driver = Driver(table.builder.build())
        self._in = self.driver.input("in", utf8, utf8)
        self._out = self.driver.output("out", utf8, utf8)

    def send(self, key: str, value: str | None, at: int, headers: Headers = ()) -> list[str]:
        """What goes on: `key=value at time` and, if there are any, header names."""
        self._in.send(key, value, at, headers=headers)
        return [
            f"{row.key}={row.value} at {row.timestamp}" + "".join(f" {name}" for name, _ in row.headers)
            for row in self._out.read_all()
        ]


def limited(limit: int, buffer: Buffer = Buffer()) -> Sut:  # noqa: B008  # frozen
    return Sut(Builder(TEXTS).table("in").suppress(UntilTimeLimit(limit, buffer)))


def final(windows: Windows) -> Sut:
    grouped = Builder(TEXTS).stream("in", key=utf8, value=utf8).group_by_key()
    kept: Materialized[str, str] = Materialized(value=utf8, retention=1_000_000)
    reduced: Table[Windowed[str], str] = grouped.windowed_by(windows).reduce(_joined, kept)
    return Sut(reduced.suppress(UntilWindowCloses()), windowed=True)


def _joined(so_far: str, value: str) -> str | None:
    return None if value == "!" else so_far + value


def _label(window: Windowed[str], _value: object) -> str:
    return f"{window.key}@{window.start}-{window.end}"


def test_an_update_waits_until_stream_time_is_the_limit_past_it() -> None:
    sut = limited(10)
    assert sut.send("a", "x", 5) == []
    assert sut.send("b", "y", 14) == []
    assert sut.send("c", "z", 15) == ["a=x at 5"]


def test_without_a_limit_in_time_everything_goes_on_at_once() -> None:
    assert limited(0).send("a", "x", 5) == ["a=x at 5"]


def test_an_update_of_a_key_that_waits_takes_its_place_and_brings_its_own_time_and_headers() -> None:
    sut = limited(10)
    sut.send("a", "x", 5, (("old", b""),))
    sut.send("a", "y", 9, (("new", b""),))
    assert sut.send("b", "z", 15, (("trigger", b""),)) == ["a=y at 9 new"]


def test_updates_go_by_time_then_by_key() -> None:
    sut = limited(10)
    for key, at in (("b", 5), ("a", 5), ("c", 4)):
        sut.send(key, "x", at)
    assert sut.send("d", "x", 20) == ["c=x at 4", "a=x at 5", "b=x at 5"]


def test_a_late_update_goes_on_at_once() -> None:
    sut = limited(10)
    sut.send("a", "x", 100)
    assert sut.send("b", "y", 90) == ["b=y at 90"]


def test_deletions_wait_and_go_on_like_updates() -> None:
    sut = limited(10)
    sut.send("a", "x", 1)
    sut.send("a", None, 2)
    assert sut.send("b", "y", 11) == ["a=None at 2"]


def test_a_full_buffer_emits_the_oldest_early() -> None:
    sut = limited(100, Buffer(max_records=2))
    sut.send("a", "x", 3)
    sut.send("b", "y", 1)
    assert sut.send("c", "z", 2) == ["b=y at 1"]


def test_bytes_are_counted_as_java_counts_them() -> None:
    # Time 8, key 1, new value 1, then timestamp 8, offset 8, topic "in" 2, partition 4.
    row = 32
    sut = limited(100, Buffer(max_bytes=2 * row))
    assert sut.send("a", "x", 1) == []
    assert sut.send("b", "y", 2) == []
    assert sut.send("b", "yy", 3) == ["a=x at 1"]


def test_a_full_buffer_that_must_not_emit_stops_the_task() -> None:
    sut = limited(100, Buffer(max_records=1, when_full=WhenFull.SHUT_DOWN))
    sut.send("a", "x", 1)
    with pytest.raises(ProcessingError, match="holds 2 updates"):
        sut.send("b", "y", 2)


@pytest.mark.parametrize(
    ("windows", "open_until"),
    [(Tumbling(10, grace=5), 14), (Sliding(10, grace=5), 14), (Sessions(4, grace=5), 9 + 4 + 5 - 1)],
)
def test_final_results_come_once_nothing_can_change_them(windows: Windows, open_until: int) -> None:
    sut = final(windows)
    first_end = 10 if not isinstance(windows, Sessions) else 9
    sut.send("a", "x", 9)
    assert sut.send("other", "y", open_until) == []
    came = sut.send("other", "z", open_until + 1)
    assert [line for line in came if line.startswith("a@")] == [f"a@{0 if first_end == 10 else 9}-{first_end}=x at 9"]


def test_a_window_that_was_deleted_has_no_final_result() -> None:
    sut = final(Tumbling(10))
    sut.send("a", "x", 1)
    sut.send("a", "!", 2)
    assert sut.send("b", "y", 10) == []


def test_final_results_are_found_through_what_lies_between() -> None:
    windowed = Builder(TEXTS).stream("in", key=utf8, value=utf8).group_by_key().windowed_by(Tumbling(10))
    kept: Materialized[str, str] = Materialized(value=utf8)
    table = windowed.reduce(lambda old, new: old + new, kept).map_values(lambda _window, value: value.upper())
    # The mapped values have no serde of their own; the default one serves.
    sut = Sut(table.suppress(UntilWindowCloses()), windowed=True)
    sut.send("a", "x", 1)
    assert sut.send("b", "y", 10) == ["a@0-10=X at 1"]


def test_of_several_windows_above_the_one_that_stays_open_longest_counts() -> None:
    def node(*parents: GraphNode, closes: int | None = None) -> GraphNode:
        return GraphNode("n", lambda _topology, _parents: None, closes_after=closes, parents=list(parents))

    top = node(node(), closes=99)  # hidden behind the windows below it
    assert closes_after(node(node(top, closes=3), node(node(top, closes=7)), node())) == 7
    assert closes_after(node(node())) is None


def test_what_waits_is_logged_and_comes_back_after_a_restart() -> None:
    sut = limited(10)
    sut.send("a", "x", 5)
    sut.driver.restart()
    assert sut.send("b", "y", 15) == ["a=x at 5"]


def test_without_logging_what_waits_is_lost_with_the_host() -> None:
    sut = limited(10, Buffer(logging=False))
    sut.send("a", "x", 5)
    sut.driver.restart()
    assert sut.send("b", "y", 15) == []


def test_a_suppressed_table_is_read_as_what_has_gone_on() -> None:
    builder = Builder(TEXTS)
    table: Table[str, str] = builder.table("in", Materialized(name="kept"))
    suppressed = table.suppress(UntilTimeLimit(10))
    kept = suppressed.origin.view()
    assert kept.stores == ("KTABLE-SUPPRESS-STATE-STORE-0000000003", "kept")


def test_what_cannot_be_held_back_is_refused() -> None:
    builder = Builder(TEXTS)
    plain: Table[str, str] = builder.table("in")
    plain.suppress(UntilWindowCloses(), name="plain")
    windowed = builder.stream("other", key=utf8, value=utf8).group_by_key().windowed_by(Tumbling(10)).count()
    windowed.suppress(UntilWindowCloses(Buffer(max_records=1, when_full=WhenFull.EMIT_EARLY)), name="early")
    versioned: Table[str, str] = builder.table("third", Materialized(name="versions", versioned=1000))
    versioned.filter(lambda _key, _value: True).suppress(UntilTimeLimit(1), name="versioned")
    with pytest.raises(TopologyError) as refused:
        builder.build()
    assert refused.value.faults == (
        "plain waits for windows to close, but nothing above it is windowed",
        "early is to give final results, so its buffer cannot emit early",
        "versioned cannot hold back a versioned table",
    )
