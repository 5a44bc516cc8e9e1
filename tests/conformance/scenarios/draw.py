"""Seeded random event sequences: few keys, a narrow time range, nulls, ties, late and far-future records."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.conformance.scenarios.build import RESTART, Json, event, wall

T = TypeVar("T")


class Draw:
    """Draws from random() alone, whose sequence for a seed is the same in every Python."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def below(self, bound: int) -> int:
        return int(self._random.random() * bound)

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]


def letters(draw: Draw) -> str:
    """A short text; "x" is the value that some lambdas treat apart."""
    return draw.pick(("x", "p", "q", "rs", "tu", "vw y"))


def longs(draw: Draw) -> int:
    return draw.below(9) - 2


@dataclass(frozen=True)
class Mix:
    """What the events are like; chances in percent, times in ms."""

    topics: Sequence[str] = ("in",)
    keys: Sequence[str] = ("a", "b", "c")
    value: Callable[[Draw], object] | dict[str, Callable[[Draw], object]] = letters
    step: int = 4
    late: int = 15
    lateness: int = 25
    jump: int = 1
    null_value: int = 12
    null_key: int = 3
    headers: int = 4
    tick: int = 2
    restarts: int = 0
    events: int = 220
    never_null: Sequence[str] = field(default=())
    """Topics whose records always have a key."""


def draw_events(draw: Draw, mix: Mix) -> list[Json]:
    """A sequence whose stream time moves on by 0 to `step` a record, with late records and far jumps between."""
    now = draw.below(20)
    restarts = {20 + draw.below(mix.events - 40) for _ in range(mix.restarts)}
    events: list[Json] = []
    while len(events) < mix.events:
        if len(events) in restarts:
            restarts.remove(len(events))
            events.append(RESTART)
        elif draw.chance(mix.tick):
            events.append(wall(draw.below(50)))
        else:
            now += draw.below(mix.step + 1)
            if draw.chance(mix.jump):
                now += 50 + draw.below(3) * 400
            events.append(_record(draw, mix, now))
    return events


def _record(draw: Draw, mix: Mix, now: int) -> Json:
    topic = draw.pick(mix.topics)
    ts = now
    if draw.chance(mix.late):
        ts = max(0, now - draw.below(mix.lateness))
    elif draw.chance(2):
        ts = max(0, now - draw.below(12 * mix.lateness))
    key = None if topic not in mix.never_null and draw.chance(mix.null_key) else draw.pick(mix.keys)
    make = mix.value[topic] if isinstance(mix.value, dict) else mix.value
    value = None if draw.chance(mix.null_value) else make(draw)
    headers = [("h", draw.pick(("1", "2", None)))] if draw.chance(mix.headers) else []
    return event(topic, key, value, ts, *headers)
