"""Writes gathered into one transaction: seen at once, kept together, whatever becomes of the map and the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from app.streams.stores.base import Marks
from tests.state.places import KV, SMALL_MAP, WINDOW, contents, opened

ROWS = [(b"%05d" % number, b"v" * 100) for number in range(2000)]


def test_what_is_gathered_is_seen_at_once_and_kept_when_settled(tmp_path: Path) -> None:
    state = opened(tmp_path)
    base, other = state.base(KV), state.base(WINDOW)
    base.apply([(b"before", b"1")], Marks(1))
    state.gather()
    base.apply([(b"a", b"1"), (b"before", None)], Marks(2))
    other.apply([(bytes(8) + b"w", b"1")], Marks(7))
    base.apply([(b"b", b"2")], Marks(3))
    assert contents(base) == {b"a": b"1", b"b": b"2"}
    assert base.get(b"b") == b"2"
    assert (base.marks().position, other.marks().position, len(base)) == (3, 7, 2)
    state.settle()
    base.apply([(b"c", b"3")], Marks(4))
    state.abandon()
    with opened(tmp_path) as again:
        assert contents(again.base(KV)) == {b"a": b"1", b"b": b"2", b"c": b"3"}
        assert (again.base(KV).marks(), again.base(WINDOW).marks()) == (Marks(4), Marks(7))


def test_what_is_not_settled_was_never_there(tmp_path: Path) -> None:
    state = opened(tmp_path)
    base = state.base(KV)
    base.apply([(b"before", b"1")], Marks(1))
    state.gather()
    base.apply([(b"a", b"1")], Marks(2))
    state.abandon()
    with opened(tmp_path) as again:
        assert contents(again.base(KV)) == {b"before": b"1"}
        assert again.base(KV).marks() == Marks(1)


def test_a_close_settles(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.gather()
        state.base(KV).apply(ROWS, Marks(2000))
    with opened(tmp_path) as again:
        assert contents(again.base(KV)) == dict(ROWS)


def test_nothing_is_lost_when_the_map_grows_meanwhile(tmp_path: Path) -> None:
    state = opened(tmp_path, limits=SMALL_MAP)
    base = state.base(KV)
    long = (b"long" * 300, b"x")
    state.gather()
    base.apply([long, (b"", b"empty")], Marks(0))
    for at in range(0, len(ROWS), 100):
        base.apply(ROWS[at : at + 100], Marks(at + 100))
    assert contents(base) == dict([(b"", b"empty"), long, *ROWS])
    assert len(base) == len(ROWS) + 2
    state.settle()
    state.abandon()
    with opened(tmp_path) as again:
        assert contents(again.base(KV)) == dict([(b"", b"empty"), long, *ROWS])
        assert len(again.base(KV)) == len(ROWS) + 2
        assert again.base(KV).marks() == Marks(2000)


def test_a_scan_goes_on_over_the_settling(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        base = state.base(KV)
        state.gather()
        base.apply(ROWS, Marks(1))
        scan = base.scan(None, None)
        first = [next(scan) for _ in range(10)]
        state.settle()
        assert first + list(scan) == ROWS


KEYS = st.sampled_from([b"", b"a", b"ab", b"b" * 600, b"b" * 601, b"c"])
WRITES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=200)), max_size=5)


@given(st.lists(st.one_of(WRITES, st.sampled_from(["gather", "settle", "drop"])), max_size=12))
def test_gathered_or_not_the_rows_are_the_same(steps: list[list[tuple[bytes, bytes | None]] | str]) -> None:
    rows: dict[bytes, bytes] = {}
    with TemporaryDirectory() as folder, opened(Path(folder), limits=SMALL_MAP) as state:
        base = state.base(KV)
        for number, step in enumerate(steps):
            if step == "gather":
                state.gather()
            elif step == "settle":
                state.settle()
            else:
                dropped = [b"b"] if step == "drop" else []
                writes = [] if isinstance(step, str) else step
                rows = {key: value for key, value in rows.items() if not (dropped and key.startswith(b"b"))}
                for key, value in writes:
                    rows.pop(key, None)
                    if value is not None:
                        rows[key] = value
                base.apply(writes, Marks(number), dropped)
                assert base.marks() == Marks(number)
            assert contents(base) == rows
            assert len(base) == len(rows)


def test_a_full_disk_keeps_what_was_settled_before(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.state.filling", str(tmp_path), "gathered"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "free" in done.stdout
