"""What is looked at before LMDB is given a file: all that its own checker looks at, where each key is, and each row."""

from __future__ import annotations

import random
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lmdb import verify

from app.state.inspection import FileDamaged, read_heads
from app.state.pages import check_pages
from app.streams.stores.base import Marks
from tests.state.places import KV, WINDOW, contents, opened

PAGE = 4096
BRANCH, LEAF, LARGE = 1, 2, 4

Rows = dict[bytes, bytes]


def leave(slot: Path, seed: int, commits: int = 12) -> Rows:
    """As a killed process leaves it: rows of all sizes and keys of all lengths, many of them replaced or deleted."""
    rng = random.Random(seed)
    rows: Rows = {}
    state = opened(slot)
    base = state.base(KV)
    for position in range(commits):
        written: dict[bytes, bytes | None] = {}
        for _ in range(700):
            key = b"key-%06d" % rng.randrange(9_000) + bytes(rng.choice((0, 0, 0, 100, 450, 700)))
            written[key] = None if rng.random() < 0.3 else rng.randbytes(rng.choice((0, 8, 8, 90, 3_000, 20_000)))
        base.apply(list(written.items()), Marks(position))
        state.base(WINDOW).apply([(bytes(8) + key[:10] + bytes(12), b"w") for key in written], Marks(position))
        for key, value in written.items():
            rows.pop(key, None) if value is None else rows.update({key: value})
    state.abandon()
    return rows


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    slot = tmp_path_factory.mktemp("left")
    return slot, leave(slot, 1, commits=4)


def data_of(slot: Path) -> bytearray:
    return bytearray((slot / "0_1/data.mdb").read_bytes())


def written(folder: Path, data: bytearray) -> Path:
    path = folder / "data.mdb"
    path.write_bytes(data)
    return path


def damaged(path: Path) -> bool:
    try:
        check_pages(path)
    except FileDamaged:
        return True
    return False


def refused_by_lmdb(path: Path) -> bool:
    try:
        return bool(verify.verify(str(path), subdir=False))  # type: ignore[no-untyped-call]
    except (verify.VerifyError, struct.error, ValueError, IndexError):
        return True


def pages(data: bytearray, kind: int) -> Iterator[int]:
    """Where pages of this kind begin, be they in use or free."""
    return (at for at in range(2 * PAGE, len(data) - 16, PAGE) if struct.unpack_from("=H", data, at + 10)[0] == kind)


def newer_head(data: bytearray) -> int:
    return max((0, PAGE), key=lambda at: struct.unpack_from("=Q", data, at + 144)[0])


@pytest.mark.parametrize("seed", range(8))
def test_what_lmdb_writes_is_sound(seed: int, tmp_path: Path) -> None:
    rows = leave(tmp_path, seed, commits=1 + 3 * seed)
    path = tmp_path / "0_1/data.mdb"
    check_pages(path)
    assert not refused_by_lmdb(path)
    with opened(tmp_path) as state:
        assert state.aside is None
        assert contents(state.base(KV)) == rows


def test_an_empty_one_is_sound(tmp_path: Path) -> None:
    opened(tmp_path).abandon()
    check_pages(tmp_path / "0_1/data.mdb")


def test_all_that_the_library_finds_is_found(left: tuple[Path, Rows], tmp_path: Path) -> None:
    """A bit of a head, of the head of a page, of a slot or of a node: what is looked at; and one anywhere."""
    sound, rng = data_of(left[0]), random.Random(3)
    used = [*pages(sound, BRANCH), *pages(sound, LEAF), *pages(sound, LARGE)]
    found = 0
    for number in range(240):
        data = bytearray(sound)
        at = newer_head(data) if number % 8 == 0 else rng.choice(used)
        where = at + rng.choice((rng.randrange(160), rng.randrange(16, 40), rng.randrange(PAGE)))
        data[where] ^= 1 << rng.randrange(8)
        path = written(tmp_path, data)
        refused = refused_by_lmdb(path)
        assert damaged(path) or not refused, (number, where)
        found += refused
    assert found > 30


@pytest.mark.parametrize("seed", range(25))
def test_what_is_not_found_makes_no_difference(seed: int, left: tuple[Path, Rows], tmp_path: Path) -> None:
    shutil.copytree(left[0], tmp_path, dirs_exist_ok=True)
    data, rng = data_of(left[0]), random.Random(seed)
    kept = rng.choice((BRANCH, LEAF, LARGE))
    at = rng.choice(list(pages(data, kept))) + rng.randrange(PAGE)
    data[at] ^= 1 << rng.randrange(8)
    path = written(tmp_path / "0_1", data)
    unnoticed = not damaged(path)
    with opened(tmp_path) as state:
        assert (state.aside is None) == unnoticed
        assert contents(state.base(KV)) == (left[1] if unnoticed else {})


def test_a_link_that_leads_some_keys_astray(left: tuple[Path, Rows], tmp_path: Path) -> None:
    """It is greater than the one before and less than the next, and the first row behind it is looked for elsewhere."""
    found = 0
    for at in pages(data_of(left[0]), BRANCH):
        data = data_of(left[0])
        [slot] = struct.unpack_from("=H", data, at + 16 + 2)
        key = at + slot + 8
        if data[key : key + 4] != b"key-":
            continue
        number = int(data[key + 4 : key + 10])
        data[key + 4 : key + 10] = b"%06d" % (number + 1)
        path = written(tmp_path, data)
        if not refused_by_lmdb(path):
            found += damaged(path)
    assert found


def grow_count(data: bytearray) -> None:
    [rows] = struct.unpack_from("=Q", data, (head := newer_head(data)) + 16 + 24 + 48 + 32)
    struct.pack_into("=Q", data, head + 16 + 24 + 48 + 32, rows + 1)


def lose_pages(data: bytearray) -> None:
    head = newer_head(data)
    struct.pack_into("=HHQQQQQ", data, head + 16 + 24 + 4, 8, 0, 0, 0, 0, 0, 2**64 - 1)


def more_pages(data: bytearray) -> None:
    struct.pack_into("=Q", data, newer_head(data) + 16 + 120, 1 << 40)


def same_turn(data: bytearray) -> None:
    [transaction] = struct.unpack_from("=Q", data, 16 + 128)
    struct.pack_into("=Q", data, 16 + 128, transaction + 1)


def change_value(data: bytearray) -> None:
    data[:] = re.sub(rb"(key-\d{6}\0{12})w", rb"\1x", data)


def misplace(data: bytearray) -> None:
    for at in pages(data, LEAF):
        struct.pack_into("=Q", data, at, at // PAGE + 1)


def link_twice(data: bytearray) -> None:
    for at in pages(data, BRANCH):
        one, other = struct.unpack_from("=HH", data, at + 16)
        data[at + other : at + other + 6] = data[at + one : at + one + 6]


def disorder(data: bytearray) -> None:
    for at in pages(data, BRANCH):
        data[at + 18 : at + 22] = data[at + 20 : at + 22] + data[at + 18 : at + 20]


def cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (grow_count, "and says"),
        (lose_pages, "neither free nor in use"),
        (more_pages, "its head tells of"),
        (same_turn, "take turns"),
        (change_value, "checksum"),
        (misplace, "not the one"),
        (link_twice, "in use twice"),
        (disorder, "looked for elsewhere"),
        (cut, "cut off"),
    ],
)
def test_what_is_said_of_it(
    change: Callable[[bytearray], None], what: str, left: tuple[Path, Rows], tmp_path: Path
) -> None:
    data = data_of(left[0])
    change(data)
    with pytest.raises(FileDamaged, match=what):
        check_pages(written(tmp_path, data))


def test_both_heads_are_read(left: tuple[Path, Rows]) -> None:
    path = left[0] / "0_1/data.mdb"
    heads = read_heads(path)
    assert heads.pages * heads.page_size <= path.stat().st_size
    assert heads.transaction > 0
