"""Random inputs and random courses of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from app.streams.model import Row
from tests.streams.properties.world import Action, Feed, Process, Slices, Step

# One key and some values more often than the others: things have to meet.
_KEYS: Final = ["k", "k", "k", "l", "x", None]
_VALUES: Final = ["x", "y", "k", "k", "long value", None]


def inputs(*, latest: int = 40, size: int = 40) -> st.SearchStrategy[list[Row]]:
    """Records of topics `a` and `b`: few keys, nulls, ties, late ones, some with a header."""
    return st.lists(
        st.builds(
            _row,
            st.sampled_from("ab"),
            st.sampled_from(_KEYS),
            st.sampled_from(_VALUES),
            st.integers(0, latest),
            st.booleans(),
        ),
        min_size=size // 2,
        max_size=size,
    )


def _row(topic: str, key: str | None, value: str | None, timestamp: int, headed: bool) -> Row:
    key_bytes = None if key is None else key.encode()
    value_bytes = None if value is None else value.encode()
    return Row(topic, 0, key_bytes, value_bytes, timestamp, (("h", value_bytes),) if headed else ())


def in_order(rows: Sequence[Row]) -> list[Row]:
    """The same records, none of them late."""
    return sorted(rows, key=lambda row: row.timestamp or 0)


_FEEDS: Final = st.builds(Feed, st.integers(0, 3), st.integers(0, 12))
_TAKES: Final = st.builds(Process, st.integers(1, 9))
_COMMIT: Final = [Step.SEAL, Step.SETTLE]
_SLICES: Final = st.builds(Slices, st.integers(1, 5))

# Single steps in any order, and turns as a worker has them: alone the first would seldom get anywhere.
_GOING_ON: Final[list[st.SearchStrategy[list[Action]]]] = [
    st.one_of(_FEEDS, _TAKES, st.sampled_from(_COMMIT)).map(lambda step: [step]),
    st.tuples(_FEEDS, _FEEDS, _TAKES).map(list),
    st.just([*_COMMIT]),
    st.tuples(st.just(Step.SEAL), st.just(Step.BEGIN), _SLICES, _TAKES, _FEEDS, _SLICES, _TAKES).map(list),
]
_DYING: Final[list[st.SearchStrategy[list[Action]]]] = [
    st.sampled_from(
        [
            [Step.CRASH],
            [Step.ABORT],
            [Step.CRASH_COMMITTED],
            [Step.SEAL, Step.CRASH_COMMITTED],
            [*_COMMIT, Step.CRASH],
            [*_COMMIT, Step.ABORT],
        ]
    ),
    # A transaction that went through, of which only a part is in the stores.
    st.tuples(
        st.sampled_from([Step.SEAL]), st.just(Step.BEGIN), _SLICES, st.sampled_from([Step.CRASH, Step.ABORT])
    ).map(list),
]


def courses(*, crashes: bool = False) -> st.SearchStrategy[list[Action]]:
    """What happens before all that is left is taken and committed at once."""
    turns = st.one_of(_GOING_ON + _DYING if crashes else _GOING_ON)
    return st.lists(turns, min_size=6, max_size=16).map(lambda found: [step for turn in found for step in turn])
