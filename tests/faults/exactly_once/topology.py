"""What runs while instances die: one operator of each kind, each with an output of its own.

Sub-topology 0 reads two co-partitioned inputs, sub-topology 1 what is re-keyed. No record is ever late, since a new
owner of a task does not know how far stream time had come: that would be as correct, and not to be foretold.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from app.streams import Builder, Emit, JoinWindows, Materialized, Stream, StreamJoined, Tumbling, days, seconds
from app.streams.serdes import int64, json, utf8, windowed

APP_TOPOLOGY: Final = "tests.faults.exactly_once.topology:topology"

PARTITIONS: Final = 4
GROUP_PARTITIONS: Final = 3
GROUPS: Final = 11

WINDOW_MS: Final = seconds(2)
GRACE_MS: Final = seconds(10)
JOIN_MS: Final = 50
KEEP_MS: Final = days(1)
"""Longer than a trial: what a window store has forgotten depends on who owned it when."""

LEFT, RIGHT = "left", "right"
INPUTS: Final = (LEFT, RIGHT)

ECHO, COUNTS, SUMS, MINIMA = "echo", "counts", "sums", "minima"
WINDOWS, FINALS, PAIRS, LOOKUPS, PROGRESS = "windows", "finals", "pairs", "lookups", "progress"
ODDS = "odds"
KEY_OUTPUTS: Final = (ECHO, COUNTS, ODDS, SUMS, MINIMA, WINDOWS, FINALS, PAIRS, LOOKUPS, PROGRESS)
"""Partitioned as the inputs."""

REGROUPED, GROUP_COUNTS, GROUP_SUMS, GROUP_WINDOWS = "regrouped", "group-counts", "group-sums", "group-windows"
GROUP_OUTPUTS: Final = (REGROUPED, GROUP_COUNTS, GROUP_SUMS, GROUP_WINDOWS)
"""Partitioned as the repartition topic."""

OUTPUTS: Final = (*KEY_OUTPUTS, *GROUP_OUTPUTS)
GROUP: Final = "by-group"
"""The operator whose repartition topic lies between the two."""


class Event(msgspec.Struct, frozen=True):
    """n: number within its input, from 0. source: partition it was written to."""

    n: int
    source: int
    amount: int


class Pair(msgspec.Struct, frozen=True):
    left: int
    right: int | None


@dataclass(frozen=True)
class Names:
    """Topics of one application, so that trials can share a broker."""

    application: str

    def topic(self, name: str) -> str:
        return f"{self.application}-{name}"

    @property
    def repartition(self) -> str:
        return f"{self.application}-{GROUP}-repartition"

    def changelog(self, store: str) -> str:
        return f"{self.application}-{store}-changelog"


def is_echoed(event: Event) -> bool:
    return event.amount % 4 != 0


def is_odd(count: int) -> bool:
    return count % 2 == 1


def group_of(event: Event) -> str:
    return f"g{event.n % GROUPS}"


event, pair = json(Event), json(Pair)


def topology(builder: Builder) -> None:
    names = Names(builder.config.application_id)
    left = builder.stream(names.topic(LEFT), key=utf8, value=event, name="left")
    right = builder.stream(names.topic(RIGHT), key=utf8, value=event, name="right")
    left.filter(lambda _key, given: is_echoed(given), name="echoed").to(names.topic(ECHO))
    _aggregate(left, names)
    _join(left, right, names)
    _regroup(left, names)


def _aggregate(left: Stream[str, Event], names: Names) -> None:
    by_key = left.group_by_key()
    amounts = left.map_values(lambda _key, given: given.amount, name="amounts").group_by_key(value=int64)
    amounts.aggregate(
        int, lambda _key, amount, total: total + amount, Materialized("sums", value=int64)
    ).to_stream().to(names.topic(SUMS))
    amounts.reduce(min, Materialized("minima", value=int64)).to_stream().to(names.topic(MINIMA))
    of_window = windowed(utf8, WINDOW_MS)
    by_key.windowed_by(Tumbling(WINDOW_MS, grace=GRACE_MS)).count(
        Materialized("windows", retention=KEEP_MS)
    ).to_stream().to(names.topic(WINDOWS), key=of_window, value=int64)
    by_key.windowed_by(Tumbling(WINDOW_MS, grace=GRACE_MS), emit=Emit.ON_CLOSE).count(
        Materialized("finals", retention=KEEP_MS)
    ).to_stream().to(names.topic(FINALS), key=of_window, value=int64)


def _join(left: Stream[str, Event], right: Stream[str, Event], names: Names) -> None:
    left.join(
        right,
        lambda one, other: Pair(one.n, other.n),
        JoinWindows.within(JOIN_MS, grace=KEEP_MS),
        StreamJoined(utf8, event, event, name="pairs", store_name="pairs"),
    ).to(names.topic(PAIRS), value=pair)
    latest = right.to_table(Materialized("latest", key=utf8, value=event))
    left.left_join(latest, lambda one, row: Pair(one.n, row.n if row is not None else None)).to(
        names.topic(LOOKUPS), value=pair
    )
    counts = left.group_by_key().count(Materialized("counts"))
    counts.to_stream().to(names.topic(COUNTS))
    # A row that comes and goes: tombstones in the output, deletions in the store and its changelog.
    counts.filter(lambda _key, count: is_odd(count), Materialized("odds")).to_stream().to(names.topic(ODDS))
    counts.join(right.group_by_key().count(Materialized("right-counts")), Pair).to_stream().to(
        names.topic(PROGRESS), value=pair
    )


def _regroup(left: Stream[str, Event], names: Names) -> None:
    regrouped = left.select_key(lambda _key, given: group_of(given), name="regroup").repartition(
        name=GROUP, key=utf8, value=event, partitions=GROUP_PARTITIONS
    )
    # What the repartition topic held, and in which order: the topic itself is purged behind us.
    regrouped.to(names.topic(REGROUPED))
    by_group = regrouped.group_by_key()
    by_group.count(Materialized("group-counts")).to_stream().to(names.topic(GROUP_COUNTS))
    by_group.windowed_by(Tumbling(WINDOW_MS, grace=KEEP_MS)).count(Materialized("group-windows")).to_stream().to(
        names.topic(GROUP_WINDOWS), key=windowed(utf8, WINDOW_MS), value=int64
    )
    amounts = regrouped.map_values(lambda _key, given: given.amount, name="group-amounts").group_by_key(value=int64)
    amounts.aggregate(
        int, lambda _key, amount, total: total + amount, Materialized("group-sums", value=int64)
    ).to_stream().to(names.topic(GROUP_SUMS))
