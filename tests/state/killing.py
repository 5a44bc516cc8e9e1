"""Runs a writer, kills it at any moment, and looks at what it left: `python -m tests.state.killing FOLDER SEED ROUNDS`.

Every commit gives all of its rows the number of its position, so a row that does not agree is half a commit.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
from pathlib import Path
from typing import NoReturn

from app.state import Limits
from app.streams.stores.base import Marks
from tests.state.places import KV, contents, opened

_KEYS = [b"%05d" % number for number in range(1500)] + [b"long" * 300 + b"%02d" % number for number in range(50)]
# Small, so that some are killed while the map grows.
_LIMITS = Limits(map_bytes=1 << 19)


def write(slot: Path, ready: int, rng: random.Random) -> NoReturn:
    """Commits for ever."""
    state = opened(slot, limits=_LIMITS)
    base = state.base(KV)
    position = base.marks().position or 0
    os.write(ready, b".")
    while True:
        position += 1
        value = b"%d|" % position + bytes(rng.choice((0, 50, 3000)))
        for _ in base.applying([(key, value) for key in _KEYS], Marks(position), slice_ms=1):
            pass


def look(slot: Path, least: int) -> int:
    """The position of a state that agrees with itself."""
    state = opened(slot, limits=_LIMITS)
    assert state.aside is None, "a kill must not cost the state"
    position = state.base(KV).marks().position or 0
    rows = contents(state.base(KV))
    assert position >= least, (position, least)
    assert len(rows) == (len(_KEYS) if position else 0)
    assert {value.partition(b"|")[0] for value in rows.values()} <= {b"%d" % position}
    state.abandon()
    return position


def main(slot: Path, seed: int, rounds: int) -> None:
    rng = random.Random(seed)
    position = 0
    for _ in range(rounds):
        heard, ready = os.pipe()
        child = os.fork()
        if child == 0:
            write(slot, ready, rng)
        os.close(ready)
        os.read(heard, 1)
        # Any moment will do.
        select.select([], [], [], rng.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(heard)
        position = look(slot, position)
    print(position)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
