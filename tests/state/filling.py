"""Fills a disk of 3 MB and goes on when there is room again: `python -m tests.state.filling FOLDER
[gathered]`."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from app.state import StateUnwritable
from app.streams.stores.base import Marks
from tests.state.places import KV, contents, opened

_DISK = 3 << 20


def main(slot: Path, *, gathered: bool) -> None:
    rows: dict[bytes, bytes] = {}
    state = opened(slot)
    base = state.base(KV)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_DISK, resource.RLIM_INFINITY))
    position = 0
    while True:
        batch = {b"%08d" % (position * 1000 + number): b"v" * 200 for number in range(1000)}
        try:
            if gathered:
                state.gather()
            base.apply(list(batch.items()), Marks(position))
            state.settle()
        except StateUnwritable as error:
            print(error)
            break
        rows |= batch
        position += 1
    assert position > 3
    assert contents(base) == rows, "nothing of the failed write is kept, and reading goes on"
    assert base.marks() == Marks(position - 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    base.apply(list(batch.items()), Marks(position))
    assert contents(base) == rows | batch
    state.close()
    with opened(slot) as again:
        assert again.aside is None
        assert contents(again.base(KV)) == rows | batch
        assert again.base(KV).marks() == Marks(position)


if __name__ == "__main__":
    main(Path(sys.argv[1]), gathered="gathered" in sys.argv)
