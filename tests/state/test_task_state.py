from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.state import Limits, StateDamaged, StateRefused, open_task_state
from app.state.records import read_record, write_record
from app.streams.stores.base import Marks
from tests.state.places import DAY, KV, NOW, Clock, contents, expected, opened

ROWS: dict[bytes, bytes] = {b"k%03d" % number: b"v" for number in range(200)}


def leave(slot: Path, *, clean: bool = True, limits: Limits | None = None) -> None:
    """State with ROWS, closed or as a killed process leaves it."""
    state = opened(slot, limits=limits)
    state.base(KV).apply(list(ROWS.items()), Marks(5))
    if clean:
        state.close()
    else:
        state.abandon()


def rewrite(slot: Path, **changes: object) -> None:
    path = slot / "0_1/metadata.json"
    facts = read_record(path)
    assert facts is not None
    write_record(path, {**facts, **changes})


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("limits", [Limits(), Limits(digest_bytes=0, check_bytes=0)])
def test_it_is_kept(tmp_path: Path, clean: bool, limits: Limits) -> None:
    leave(tmp_path, clean=clean, limits=limits)
    with opened(tmp_path, limits=limits) as state:
        assert state.aside is None
        assert contents(state.base(KV)) == ROWS
        assert state.base(KV).marks() == Marks(5)
        assert state.committed_ms() == NOW
        assert state.base(KV) is state.base(KV)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"application_id": "other"}, "another application id"),
        ({"task": "0_1", "subtopology": "other"}, "another sub-topology"),
        ({"changelogs": {"counts": "topic-id-2"}}, "changelog of counts was recreated"),
    ],
)
def test_what_is_not_ours_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, object], why: str
) -> None:
    leave(tmp_path)
    with open_task_state(tmp_path, expected(**changes), Clock()) as state:
        assert contents(state.base(KV)) == {}
        assert state.base(KV).marks() == Marks()
        assert state.aside is not None
        assert (state.aside / "data.mdb").exists()
    [line] = [record for record in caplog.records if "moved aside" in record.getMessage()]
    assert why in line.getMessage()
    # The next opening finds the new one, and nothing to say.
    with open_task_state(tmp_path, expected(**changes), Clock()) as state:
        assert state.aside is None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"clean": False, "boot": "another start"}, "the machine stopped"),
        ({"format": 2}, "its format is 2"),
        ({"invented": 1}, "other fields"),
        ({"damaged": "a row fails its checksum"}, "a row fails"),
        ({"task": "0_2"}, "another task"),
    ],
)
def test_doubtful_metadata(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, facts: dict[str, object], why: str
) -> None:
    leave(tmp_path)
    rewrite(tmp_path, **facts)
    with opened(tmp_path) as state:
        assert state.aside is not None
        assert contents(state.base(KV)) == {}
    assert why in caplog.text


def test_a_closed_state_outlives_the_machine(tmp_path: Path) -> None:
    leave(tmp_path)
    rewrite(tmp_path, boot="another start")
    with opened(tmp_path) as state:
        assert state.aside is None


@pytest.mark.parametrize(
    ("now", "kept"),
    [(NOW + DAY, True), (NOW + DAY + 1, False), (NOW - 5 * 60_000, True), (NOW - 5 * 60_000 - 1, False)],
)
def test_state_that_may_have_missed_deletions(tmp_path: Path, now: int, kept: bool) -> None:
    leave(tmp_path)
    with opened(tmp_path, Clock(now)) as state:
        assert (state.aside is None) is kept


def test_state_without_a_changelog_does_not_age(tmp_path: Path) -> None:
    leave(tmp_path)
    with open_task_state(tmp_path, expected(delete_retention_ms=None), Clock(NOW + 100 * DAY)) as state:
        assert state.aside is None


def test_only_the_newest_is_kept_aside(tmp_path: Path) -> None:
    for number in range(3):
        leave(tmp_path)
        rewrite(tmp_path, damaged="so it was found")
        opened(tmp_path, Clock(NOW + number * 1000)).close()
    assert len(list(tmp_path.glob("0_1.aside-*"))) == 1


def test_what_is_found_damaged_in_use_is_moved_aside_next_time(tmp_path: Path) -> None:
    with pytest.raises(StateDamaged), opened(tmp_path):
        raise StateDamaged("a row fails its checksum")
    with opened(tmp_path) as state:
        assert state.aside is not None


def test_the_folder_is_private_and_no_link(tmp_path: Path) -> None:
    leave(tmp_path)
    folder = tmp_path / "0_1"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateRefused, match="symbolic link"):
        opened(tmp_path)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(tmp_path)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(StateRefused, match=f"belongs to user {owner}"):
        opened(tmp_path)
