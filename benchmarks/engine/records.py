"""Records for the benchmarks of the engine: 100-byte JSON values, keys scattered over a range, time that moves on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from app.streams.model import Inbound

VALUE_BYTES: Final = 100
# No number of keys used here divides it, so every key has its turn once a lap, in an order no cache likes.
_STRIDE: Final = 2_654_435_761
_BEGIN: Final = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """Endless records over `keys` keys, dealt in turn to `topics`, each of which sees the same keys.

    lap: ms of stream time in which every key has its turn once in every topic; so a window holds as many records of a
    key whatever the number of keys.
    """

    keys: int
    topics: tuple[str, ...]
    lap: int

    @property
    def lap_records(self) -> int:
        return self.keys * len(self.topics)

    def records(self, begin: int, end: int) -> Iterator[tuple[str, Inbound]]:
        """The records with numbers from `begin` up to `end`, in order of time."""
        width = len(self.topics)
        for number in range(begin, end):
            turn = number // width
            key = self._key(turn)
            timestamp = _BEGIN + number * self.lap // self.lap_records
            yield self.topics[number % width], (turn, timestamp, key, value_of(number), ())

    def keys_of(self, begin: int, end: int) -> Iterator[bytes]:
        """The keys of these turns."""
        return (self._key(turn) for turn in range(begin, end))

    def _key(self, turn: int) -> bytes:
        return b"key-%07d" % (turn * _STRIDE % self.keys)


def value_of(number: int) -> bytes:
    value = {"n": number, "name": f"sensor-{number % 50}", "level": number % 1000 / 8, "on": True, "text": ""}
    value["text"] = "x" * (VALUE_BYTES - len(msgspec.json.encode(value)))
    return msgspec.json.encode(value)
