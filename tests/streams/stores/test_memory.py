"""The base in memory, applied in slices."""

from __future__ import annotations

from contextlib import closing
from typing import TypeAlias

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


Seen: TypeAlias = tuple[list[tuple[bytes, bytes]], list[list[tuple[bytes, bytes]]], list[bytes], int, Marks]


def seen(base: MemoryBase) -> Seen:
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
            assert seen(left)[:3] == before[:3], "who reads meanwhile sees the rows as they were"
            for row in _KEYS:
                assert left.get(row) == dict(before[0]).get(row)
            assert list(left.scan(b"0b", b"2b", reverse=True)) == [
                entry for entry in before[0][::-1] if b"0b" <= entry[0] < b"2b"
            ]
            assert list(left.group(b"1", b"b", b"d", reverse=True)) == [
                entry for entry in before[1][1][::-1] if entry[0] >= b"1b"
            ]
    assert seen(left) == (seen(whole) if left.marks() == Marks(2) else before)
    assert {row: left.get(row) for row in _KEYS if left.get(row) is not None} == dict(seen(left)[0])


def test_a_scan_that_outlives_an_apply_gives_no_row_twice() -> None:
    base = filled(0, [(key, b"old") for key in _KEYS])
    steps = base.applying([(key, b"new") for key in reversed(_KEYS)], Marks(2), slice_ms=0)
    for _ in range(4):
        next(steps)
    scan = base.scan(None, None)
    assert next(scan) == (b"0a", b"old")
    list(steps)
    assert [key for key, _ in scan] == _KEYS[1:]


def test_a_million_rows_are_not_put_in_order_at_once() -> None:
    """No time is measured: what one step may do is bounded by what it is told."""
    base = MemoryBase(suffix=1)
    base.apply(((b"%07d" % (number * 7919 % 50_000), b"x") for number in range(50_000)), Marks(1))
    steps = 0
    for _ in base.ordering(2.0):
        steps += 1
        base.apply([(b"new%05d" % steps, b"y"), (b"%07d" % steps, None)], Marks(1))
    assert steps >= 50
    assert list(base.ordering(2.0)) == list(base.ordering(2.0, for_groups=True)) == []
    assert [key for key, _ in base.scan(None, None)] == sorted(key for key, _ in base.scan(None, None))
    assert len(list(base.scan(None, None))) == len(base) == 50_000
    assert list(base.group(b"new0000", b"1", b"2")) == [(b"new00001", b"y")]
