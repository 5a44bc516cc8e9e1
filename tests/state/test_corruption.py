"""A hundred ways to find a state directory that is not as it was left: found out and rebuilt, refused, or harmless,
which is proved by reading everything. Never silent."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from app.state import StateRefused, TaskState, open_task_state, take_slot
from app.streams.stores.base import Marks
from tests.state.places import KV, WINDOW, Clock, contents, expected, opened

Contents = dict[int | None, dict[bytes, bytes]]


def _leave(slot: Path, *, clean: bool, salt: bytes = b"") -> Contents:
    """Three commits, the last of which may never have been closed; what each position holds."""
    states: Contents = {None: {}}
    rows: dict[bytes, bytes] = {}
    rng = random.Random(7)
    state = opened(slot)
    base = state.base(KV)
    for position in range(1, 4):
        written = {
            salt + b"key-%04d" % rng.randrange(2000): rng.randbytes(rng.choice((5, 80, 3000))) for _ in range(300)
        }
        written[b"long" * 200 + b"%d" % position] = b"v"
        rows |= written
        base.apply(list(written.items()), Marks(position))
        state.base(WINDOW).apply([(bytes(8) + key + bytes(12), b"w") for key in written], Marks(position))
        states[position] = dict(rows)
    if clean:
        state.close()
    else:
        state.abandon()
    return states


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    root = tmp_path_factory.mktemp("left")
    for name, clean in (("closed", True), ("killed", False)):
        (root / name).mkdir()
        states = _leave(root / name, clean=clean)
    return root, states


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 1, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _smear(path: Path, rng: random.Random) -> None:
    """A page of zeros, or one that belongs elsewhere: a write that was lost or misdirected."""
    data = bytearray(path.read_bytes())
    pages = len(data) // 4096
    to, source = rng.randrange(pages) * 4096, rng.randrange(pages) * 4096
    data[to : to + 4096] = bytes(4096) if rng.random() < 0.5 else data[source : source + 4096]
    path.write_bytes(data)


def _cut(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice((0, 100, 4096, rng.randrange(len(data)))) % len(data)])


def _check(state: TaskState, states: Contents, caplog: pytest.LogCaptureFixture, before: bytes) -> bool:
    """Whether it was moved aside; if not, it is one of the committed states and says which."""
    with state:
        found = contents(state.base(KV))
        position = state.base(KV).marks().position
        assert found == states[position]
        lines = [record for record in caplog.records if "moved aside" in record.getMessage()]
        assert len(lines) == (state.aside is not None)
        if state.aside is None:
            assert position is not None
            return False
        assert position is None
        data = state.aside / "data.mdb"
        assert not data.exists() or data.is_symlink() or data.read_bytes() == before
        return True


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("how", ["closed", "killed"])
def test_changed_bytes(
    seed: int, how: str, left: tuple[Path, Contents], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(left[0] / how, tmp_path, dirs_exist_ok=True)
    rng = random.Random(seed)
    data = tmp_path / "0_1/data.mdb"
    before = data.read_bytes()
    (_flip, _smear, _cut)[seed % 3](data, rng)
    now = data.read_bytes()
    found_out = _check(opened(tmp_path), left[1], caplog, now)
    assert found_out == (now != before) or how == "killed"


@pytest.mark.parametrize("seed", range(10))
def test_changed_metadata(
    seed: int, left: tuple[Path, Contents], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(left[0] / "closed", tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "0_1/data.mdb").read_bytes()
    (_flip, _cut)[seed % 2](tmp_path / "0_1/metadata.json", random.Random(seed))
    assert _check(opened(tmp_path), left[1], caplog, before)


@pytest.mark.parametrize("name", ["data.mdb", "metadata.json"])
@pytest.mark.parametrize("how", ["closed", "killed"])
@pytest.mark.parametrize("action", ["delete", "link", "folder"])
def test_files_that_are_gone_or_no_files(
    name: str, how: str, action: str, left: tuple[Path, Contents], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slot = tmp_path / "slot"
    shutil.copytree(left[0] / how, slot)
    path = slot / "0_1" / name
    path.rename(tmp_path / name)
    before = (tmp_path / name).read_bytes() if name == "data.mdb" else (slot / "0_1/data.mdb").read_bytes()
    if action == "link":
        path.symlink_to(tmp_path / name)
    elif action == "folder":
        path.mkdir()
    assert _check(opened(slot), left[1], caplog, before) if action != "folder" or name != "data.mdb" else _aside(slot)


def _aside(slot: Path) -> bool:
    with opened(slot) as state:
        return state.aside is not None


@pytest.mark.parametrize("how", ["closed", "killed"])
@pytest.mark.parametrize("seed", range(4))
def test_the_lock_table_is_nobodys_memory(
    seed: int, how: str, left: tuple[Path, Contents], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slot, other = tmp_path / "slot", tmp_path / "other"
    shutil.copytree(left[0] / how, slot)
    table = slot / "0_1/lock.mdb"
    noise = random.Random(seed).randbytes(8192)
    if seed % 2:
        other.write_bytes(noise)
        table.unlink()
        table.symlink_to(other)
    else:
        table.write_bytes(noise)
    assert not _check(opened(slot), left[1], caplog, b"")
    assert not other.exists() or other.read_bytes() == noise


@pytest.mark.parametrize("how", ["closed", "killed"])
@pytest.mark.parametrize(
    "changes",
    [
        {"application_id": "another"},
        {"subtopology": "another"},
        {"changelogs": {"counts": "recreated"}},
        {"changelogs": {"counts": "topic-id-1", "windows": "new"}},
        {"changelogs": {"counts": ""}},
    ],
)
def test_whole_directories_of_others(
    how: str,
    changes: dict[str, object],
    left: tuple[Path, Contents],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(left[0] / how, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "0_1/data.mdb").read_bytes()
    state = open_task_state(tmp_path, expected(**changes), Clock())
    assert _check(state, left[1], caplog, before)


@pytest.mark.parametrize("file", ["data.mdb", "metadata.json"])
@pytest.mark.parametrize("how", ["closed", "killed"])
def test_a_file_of_another_state(
    file: str, how: str, left: tuple[Path, Contents], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    shutil.copytree(left[0] / how, mine)
    other.mkdir()
    others = _leave(other, clean=how == "closed", salt=b"other-")
    shutil.copy(other / "0_1" / file, mine / "0_1" / file)
    before = (mine / "0_1/data.mdb").read_bytes()
    if how == "closed":
        assert _check(opened(mine), left[1], caplog, before)
    else:
        # Same application, task, changelogs and boot, each sound: only what it says of its position can be right.
        assert not _check(opened(mine), others if file == "data.mdb" else left[1], caplog, b"")


def test_two_processes(tmp_path: Path) -> None:
    with take_slot(tmp_path, "app") as slot, opened(slot.path) as state:
        state.base(KV).apply([(b"k", b"v")], Marks(1))
        with take_slot(tmp_path, "app") as other:
            assert other.path != slot.path
            with opened(other.path) as empty:
                assert contents(empty.base(KV)) == {}
        assert contents(state.base(KV)) == {b"k": b"v"}


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0_1").write_text("a file")
    with pytest.raises(StateRefused, match="no state can be kept"):
        opened(tmp_path)
