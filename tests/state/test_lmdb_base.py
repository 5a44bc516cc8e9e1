from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.state import LmdbBase, StateDamaged
from app.state.long_keys import LIMIT
from app.streams.stores.base import Marks
from app.streams.stores.memory import MemoryBase
from app.streams.stores.opening import key_layout
from tests.state.places import KV, SMALL_MAP, WINDOW, contents, fresh_base, opened

# Keys around each border of the layout: empty, LMDB's limit, a second and a third link; few tails, so that they share.
_PIECE = LIMIT - 8
_heads = st.sampled_from([b"", b"a", b"b", b"\x00", b"\xff"]) | st.sampled_from(
    [
        letter * (size + step)
        for letter in (b"a", b"\xff")
        for size in (LIMIT, LIMIT + _PIECE, LIMIT + 2 * _PIECE)
        for step in (-1, 0, 1)
    ]
)
_tails = st.sampled_from([b"", b"\x00", b"\x01", b"\x01\x00", b"z", b"\xff"])
_keys = st.builds(bytes.__add__, _heads, _tails)
_bounds = st.none() | _keys
_values = st.none() | st.binary(max_size=3) | st.just(b"v" * 5000)
_writes = st.lists(st.tuples(_keys, _values), max_size=12)

_segments = st.integers(0, 3).map(lambda n: n.to_bytes(8, "big"))
_groups = st.builds(bytes.__add__, _segments, st.sampled_from([b"", b"k", b"k\x00", b"k" * LIMIT, b"k" * 1100]))
_suffixes = st.integers(0, 5).map(lambda n: n.to_bytes(12, "big"))
_window_rows = st.builds(bytes.__add__, _groups, _suffixes)


def check_scans(base: LmdbBase, model: MemoryBase, lo: bytes | None, hi: bytes | None) -> None:
    for reverse in (False, True):
        assert list(base.scan(lo, hi, reverse)) == list(model.scan(lo, hi, reverse))


@pytest.fixture(scope="module")
def kv() -> Iterator[LmdbBase]:
    with fresh_base(KV) as base:
        yield base


@pytest.fixture(scope="module")
def windows() -> Iterator[LmdbBase]:
    with fresh_base(WINDOW) as base:
        yield base


@settings(max_examples=300, deadline=None)
@given(
    batches=st.lists(_writes, max_size=4),
    bounds=st.lists(st.tuples(_bounds, _bounds), min_size=4, max_size=4),
    position=st.integers(0, 99),
)
def test_it_is_the_memory_base_for_keys_of_any_length(
    kv: LmdbBase,
    batches: list[list[tuple[bytes, bytes | None]]],
    bounds: list[tuple[bytes | None, bytes | None]],
    position: int,
) -> None:
    model = MemoryBase(*key_layout(KV))
    kv.apply([], Marks(), [b""])
    for batch in batches:
        kv.apply(batch, Marks(position))
        model.apply(batch, Marks(position))
        assert len(kv) == len(model)
        assert kv.prefixes() == model.prefixes()
    for key in {key for batch in batches for key, _ in batch} | {b"", b"a" * 600}:
        assert kv.get(key) == model.get(key)
    check_scans(kv, model, None, None)
    for lo, hi in bounds:
        check_scans(kv, model, lo, hi)
    assert kv.marks() == model.marks()


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.lists(st.tuples(_window_rows, _values), max_size=12), st.lists(_segments, max_size=2)), max_size=3
    ),
    groups=st.lists(st.tuples(_groups, _suffixes, _suffixes | st.just(b"\xff" * 12), st.booleans()), max_size=8),
)
def test_it_is_the_memory_base_for_segments_and_groups(
    windows: LmdbBase,
    steps: list[tuple[list[tuple[bytes, bytes | None]], list[bytes]]],
    groups: list[tuple[bytes, bytes, bytes, bool]],
) -> None:
    model = MemoryBase(*key_layout(WINDOW))
    windows.apply([], Marks(), [b""])
    for writes, dropped in steps:
        windows.apply(writes, Marks(1, 2, 3, 4), dropped)
        model.apply(writes, Marks(1, 2, 3, 4), dropped)
        assert windows.prefixes() == model.prefixes()
        assert len(windows) == len(model)
        check_scans(windows, model, None, None)
    for group, lo, hi, reverse in groups:
        assert list(windows.group(group, lo, hi, reverse)) == list(model.group(group, lo, hi, reverse))


def test_what_was_applied_is_there_after_a_restart(tmp_path: Path) -> None:
    rows = {b"": b"empty", b"k": b"", b"k" * 2000: b"long"}
    with opened(tmp_path) as state:
        state.base(KV).apply(list(rows.items()), Marks(7, 8, 9, 10))
        state.base(WINDOW).apply([(b"\x00" * 8 + b"k" + b"\x01" * 12, b"w")], Marks(1))
    with opened(tmp_path) as state:
        assert state.aside is None
        base = state.base(KV)
        assert contents(base) == rows
        assert len(base) == 3
        assert base.marks() == Marks(7, 8, 9, 10)
        assert state.base(WINDOW).marks() == Marks(1)
        assert state.statistics()["counts"].entries == 3
        assert state.used_bytes() > state.statistics()["counts"].bytes > 0


def test_links_to_nothing_are_removed() -> None:
    with fresh_base(KV) as base:
        keys = [b"k" * 3000, b"k" * 3000 + b"1", b"k" * 600]
        for key in keys:
            base.apply([(key, b"v")], Marks())
        for key in keys:
            base.apply([(key, None), (key, None)], Marks())
        assert base.statistics().bytes == 0
        assert len(base) == 0


def test_a_key_of_a_quarter_megabyte() -> None:
    with fresh_base(KV) as base:
        key = bytes(range(256)) * 1024
        base.apply([(key, b"v")], Marks())
        assert base.get(key) == b"v"
        assert contents(base) == {key: b"v"}
        base.apply([], Marks(), [b""])
        assert contents(base) == {}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_stays_in_the_state_it_began_in(reverse: bool) -> None:
    with fresh_base(KV) as base:
        old = {b"%04d" % number: b"old" for number in range(500)}
        base.apply(list(old.items()), Marks())
        scan = base.scan(None, None, reverse)
        seen = [next(scan)]
        for round_ in range(3):
            base.apply([(key, b"new%d" % round_) for key in old] + [(b"0000x", b"added")], Marks())
            seen += [next(scan) for _ in range(100)]
        assert base.get(b"0400") == b"new2"
        assert sorted([*seen, *scan]) == sorted(old.items())


@pytest.mark.parametrize("reverse", [False, True])
def test_a_map_that_is_full_grows_under_open_scans(reverse: bool) -> None:
    model = MemoryBase()
    with fresh_base(KV, SMALL_MAP) as base:
        first: list[tuple[bytes, bytes | None]] = [(b"%06d" % number, b"v" * 100) for number in range(0, 1000, 2)]
        base.apply(first, Marks(1))
        scan = base.scan(None, None, reverse)
        seen = [next(scan)[0] for _ in range(10)]
        more: list[tuple[bytes, bytes | None]] = [(b"%06d" % number, b"w" * 100) for number in range(1, 30_000, 2)]
        base.apply(iter(more), Marks(2), [])
        model.apply(first + more, Marks(2))
        seen += [key for key, _ in scan]
        assert {key for key, _ in first} <= set(seen)
        assert all(one > other if reverse else one < other for one, other in pairwise(seen))
        assert contents(base) == contents(model)
        assert base.marks() == Marks(2)


def test_slices_show_the_old_state_until_the_last() -> None:
    now = [0.0]

    def clock() -> float:
        # Each look is a millisecond later.
        now[0] += 0.001
        return now[0]

    with fresh_base(KV) as base:
        base.apply([(b"k%05d" % number, b"old") for number in range(1000)], Marks(1))
        writes: list[tuple[bytes, bytes | None]] = [(b"n%05d" % number, b"new") for number in range(2000)]
        steps = 0
        for _ in base.applying(writes, Marks(2), [b"k"], slice_ms=4, clock=clock):
            steps += 1
            assert base.get(b"k00001") == b"old"
            assert base.get(b"n00001") is None
            assert base.marks() == Marks(1)
            assert len(base) == 1000
        assert steps > 5
        assert contents(base) == dict(writes)
        assert base.marks() == Marks(2)


def test_slices_that_are_not_finished_leave_nothing() -> None:
    with fresh_base(KV) as base:
        base.apply([(b"k", b"old"), (b"l" * 600, b"old")], Marks(1))
        with closing(base.applying([(b"k", b"new"), (b"m" * 600, b"x")] * 100, Marks(2), [b"l"], slice_ms=0)) as steps:
            next(steps)
            with pytest.raises(RuntimeError, match="under way"):
                base.apply([], Marks())
        assert contents(base) == {b"k": b"old", b"l" * 600: b"old"}
        assert base.marks() == Marks(1)
        assert len(base) == 2
        base.apply([(b"k", b"new")], Marks(3))
        assert base.get(b"k") == b"new"


@pytest.mark.parametrize("key", [b"key", b"k" * 700, b""])
def test_a_row_that_changed_on_its_way_is_an_error_at_every_read(key: bytes, tmp_path: Path) -> None:
    # A value of 3000 bytes has pages of its own: no structure is hit.
    marker = b"find-me-" * 375
    with opened(tmp_path) as state:
        state.base(KV).apply([(key, marker)], Marks())
    data = bytearray((tmp_path / "0_1/data.mdb").read_bytes())
    at = data.rindex(b"find-me-")
    state = opened(tmp_path)
    try:
        with (tmp_path / "0_1/data.mdb").open("r+b") as file:
            file.seek(at)
            file.write(b"F")
        base = state.base(KV)
        with pytest.raises(StateDamaged, match="checksum"):
            base.get(key)
        for reverse in (False, True):
            with pytest.raises(StateDamaged, match="checksum"):
                list(base.scan(None, None, reverse))
    finally:
        state.abandon()
