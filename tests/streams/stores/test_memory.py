"""The base in memory, applied in slices."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams.stores.base import Marks
from app.streams.stores.memory import MemoryBase

_KEYS = [prefix + key for prefix in (b"0", b"1", b"2") for key in (b"a", b"b", b"c")]
_writes = st.lists(st.tuples(st.sampled_from(_KEYS), st.sampled_from([b"x", b"y", None])), max_size=12)
_dropped = st.lists(st.sampled_from([b"0", b"1", b"2"]), unique=True)


def filled(prefix: int, rows: list[tuple[bytes, bytes | None]]) -> MemoryBase:
    base = MemoryBase(prefix, suffix=1)
    base.apply(rows, Marks(1))
    # Orders that are kept up from here on.
    list(base.scan(None, None))
    list(base.group(b"0", b"a", b"c"))
    return base


def seen(base: MemoryBase) -> object:
    groups = [list(base.group(prefix, b"a", b"d")) for prefix in (b"0", b"1", b"2")]
    return list(base.scan(None, None)), groups, base.prefixes(), len(base), base.marks()


@given(st.sampled_from([0, 1]), _writes, _writes, _dropped, st.integers(0, 12))
def test_slices_come_to_the_same_and_what_is_not_finished_is_undone(
    prefix: int,
    old: list[tuple[bytes, bytes | None]],
    new: list[tuple[bytes, bytes | None]],
    dropped: list[bytes],
    at: int,
) -> None:
    dropped = dropped if prefix else []
    whole, sliced, left = filled(prefix, old), filled(prefix, old), filled(prefix, old)
    whole.apply(new, Marks(2), dropped)
    for _ in sliced.applying(new, Marks(2), dropped, slice_ms=0):
        pass
    assert seen(sliced) == seen(whole)
    before = seen(left)
    with closing(left.applying(new, Marks(2), dropped, slice_ms=0)) as steps:
        for _ in range(at):
            next(steps, None)
        if left.marks() == Marks(1) and at and len(new) > 1:
            with pytest.raises(RuntimeError, match="being applied"):
                left.apply([], Marks(3))
    assert seen(left) == (seen(whole) if left.marks() == Marks(2) else before)
