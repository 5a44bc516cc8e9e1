from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.state import StateRefused, take_slot
from app.state.records import read_record
from tests.state.places import opened

HOLDER = """
import sys
from pathlib import Path
from app.state import take_slot
with take_slot(Path(sys.argv[1]), "app") as slot:
    print(slot.path.name, slot.instance, flush=True)
    sys.stdin.read()
"""


def hold(root: Path) -> subprocess.Popen[str]:
    """Another process that takes a slot, until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdout is not None
    slot, instance = process.stdout.readline().split()
    return slot, instance


def test_processes_never_share_and_find_themselves_again(tmp_path: Path) -> None:
    with hold(tmp_path) as first, hold(tmp_path) as second:
        slots = dict([said(first), said(second)])
        assert set(slots) == {"0", "1"}
        assert len(set(slots.values())) == 2
        with take_slot(tmp_path, "app") as mine:
            assert mine.path.name == "2"
        # A lock ends with its process, however that ends.
        first.kill()
        second.kill()
    with take_slot(tmp_path, "app") as zero, take_slot(tmp_path, "app") as one:
        assert {zero.path.name: str(zero.instance), one.path.name: str(one.instance)} == slots


def test_a_slot_is_given_back_at_the_end_of_its_block(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with take_slot(tmp_path / "new" / "root", "app") as slot:
            found.append(slot)
    assert found[0] == found[1]


def test_applications_have_directories_of_their_own(tmp_path: Path) -> None:
    with take_slot(tmp_path, "one") as one, take_slot(tmp_path, "two") as two:
        assert (one.path, two.path) == (tmp_path / "one/0", tmp_path / "two/0")
        assert one.path.stat().st_mode & 0o777 == 0o700
        assert one.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "x" * 250, "a\x00b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StateRefused, match="cannot name a directory"), take_slot(tmp_path, name):
        pass


@pytest.mark.parametrize("place", ["app", "app/0"])
def test_links_are_not_followed(tmp_path: Path, place: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateRefused, match="symbolic link"), take_slot(tmp_path, "app"):
        pass


def test_a_copied_slot_is_another_instance(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as held:
        zero = held.enter_context(take_slot(tmp_path, "app"))
        (tmp_path / "app/1").mkdir()
        (tmp_path / "app/1/instance.json").write_bytes((zero.path / "instance.json").read_bytes())
        one = held.enter_context(take_slot(tmp_path, "app"))
        assert one.path.name == "1"
        assert one.instance != zero.instance
    assert "new instance" in caplog.text


@pytest.mark.parametrize("damage", [b"", b"{}", b"00000000 {}\n"])
def test_a_damaged_identity_is_a_new_one(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes) -> None:
    with take_slot(tmp_path, "app") as before:
        pass
    (before.path / "instance.json").write_bytes(damage)
    with take_slot(tmp_path, "app") as after:
        assert after.instance != before.instance
    assert "new instance" in caplog.text
    assert (read_record(after.path / "instance.json") or {})["instance"] == str(after.instance)


def test_it_knows_the_tasks_that_left_state(tmp_path: Path) -> None:
    with take_slot(tmp_path, "app") as slot:
        assert slot.tasks() == []
        opened(slot.path).close()
        (slot.path / "0_1.aside-20260101T000000").mkdir()
        (slot.path / "0_1.aside-20260101T000000/metadata.json").touch()
        assert slot.tasks() == ["0_1"]
