"""Keys in order, however they come."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.stores import key_order
from app.streams.stores.key_order import KeyOrder
from app.streams.stores.rows import Rows

_keys = st.binary(max_size=2)
_steps = st.lists(st.tuples(st.booleans(), _keys), max_size=60)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_order, "_PIECE", 3)
    monkeypatch.setattr(key_order, "_LARGEST", 6)


def expected(keys: set[bytes], lo: bytes | None, hi: bytes | None, above: bool, reverse: bool) -> list[bytes]:
    ascending = sorted(keys)
    begin = 0 if lo is None else (bisect_right if above else bisect_left)(ascending, lo)
    end = len(ascending) if hi is None else bisect_left(ascending, hi)
    found = ascending[begin:end]
    return found[::-1] if reverse else found


@settings(max_examples=300)
@given(st.sets(_keys), st.booleans(), _steps, st.none() | _keys, st.none() | _keys, st.booleans(), st.booleans())
def test_what_was_added_and_not_discarded_in_order(
    old: set[bytes],
    at_once: bool,
    steps: list[tuple[bool, bytes]],
    lo: bytes | None,
    hi: bytes | None,
    above: bool,
    reverse: bool,
) -> None:
    keys = set(old)
    order = KeyOrder.of(keys) if at_once else KeyOrder.like(list(keys))
    if not at_once:
        for key in keys:
            order.add(key)
    for is_added, key in steps:
        if is_added and key not in keys:
            order.add(key)
        elif not is_added:
            order.discard(key)
        (keys.add if is_added else keys.discard)(key)
        if len(keys) % 3 == 0:
            assert list(order.between(lo, hi, above=above, reverse=reverse)) == expected(keys, lo, hi, above, reverse)
    assert list(order.between(lo, hi, above=above, reverse=reverse)) == expected(keys, lo, hi, above, reverse)


def test_keys_that_go_with_time_leave_no_pieces_behind() -> None:
    order = KeyOrder()
    for at in range(10_000):
        order.add(at.to_bytes(4, "big"))
        if at >= 20:
            order.discard((at - 20).to_bytes(4, "big"))
    assert order.pieces < 20


@settings(max_examples=300)
@given(st.sets(_keys), st.lists(st.tuples(st.booleans(), _keys), max_size=40), st.integers(1, 4), st.integers(0, 2**32))
def test_orders_made_in_slices_miss_nothing_that_happens_meanwhile(
    old: set[bytes], steps: list[tuple[bool, bytes]], every: int, seed: int
) -> None:
    rows: Rows[int] = Rows(suffix=1)
    rows.apply((b"g" + key + b"s", 0) for key in old)
    chance = random.Random(seed)
    # Two askers, one of whom gives up.
    makers = [rows.ordering(every), rows.ordering(every, for_groups=True)]
    if chance.random() < 0.3:
        rows.group(b"g", b"", b"\xff")
    for is_put, key in steps:
        next(chance.choice(makers), None)
        row = b"g" + key + b"s"
        if is_put:
            rows.put(row, 1)
        else:
            rows.remove(row)
    if chance.random() < 0.5:
        list(makers[0])
    ascending = sorted(rows.entries)
    assert [row for row, _ in rows.scan(None, None, False)] == ascending
    assert [row for row, _ in rows.scan(None, None, True)] == ascending[::-1]
    for group in {row[:-1] for row in ascending} | {b"gx"}:
        assert rows.group(group, b"", b"\xff") == [row for row in ascending if row[:-1] == group]
