"""Numbered inputs: the same seed gives the same records."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.logs import Headers
from tests.faults.exactly_once.oracle import partition_of

KEYS: Final = 60
JITTER_MS: Final = 1_500
"""How far a record's time may lie before or behind its turn; far less than the windows' grace."""


HEADERS_EVERY: Final = 3
"""Records with headers and without travel in one batch."""


class Numbered(NamedTuple):
    """timestamp in ms from the beginning of the trial."""

    partition: int
    key: bytes
    value: bytes
    timestamp: int
    headers: Headers = ()


@dataclass(frozen=True)
class Numbering:
    """rate: records a second of each input."""

    seed: int
    rate: int

    def records(self, side: str) -> Iterator[Numbered]:
        """Without end. No two of one key have one time."""
        chance = random.Random(f"{self.seed} {side}")
        taken: dict[bytes, set[int]] = {b"k%d" % number: set() for number in range(KEYS)}
        keys = list(taken)
        n = 0
        while True:
            key = keys[min(int(chance.expovariate(6 / KEYS)), KEYS - 1)]
            time = JITTER_MS + n * 1_000 // self.rate + chance.randint(-JITTER_MS, JITTER_MS)
            while time in taken[key]:
                time += 1
            taken[key].add(time)
            partition = partition_of(key, of.PARTITIONS)
            value = msgspec.json.encode(of.Event(n, partition, chance.randint(1, 1_000)))
            yield Numbered(partition, key, value, time, (("n", b"%d" % n),) if n % HEADERS_EVERY == 0 else ())
            n += 1


def closing_keys() -> list[bytes]:
    """A key for each partition."""
    found: dict[int, bytes] = {}
    number = 0
    while len(found) < of.PARTITIONS:
        key = b"end%d" % number
        found.setdefault(partition_of(key, of.PARTITIONS), key)
        number += 1
    return [found[partition] for partition in range(of.PARTITIONS)]
