"""What a long run leaves behind, and how it is ended."""

import signal
from pathlib import Path

import pytest

from tests.faults.evidence import end_as_by_ctrl_c, evidence


def test_nothing_is_left_of_a_run_that_passed_or_was_interrupted() -> None:
    with evidence() as found:
        (found.folder / "log").touch()
    assert not found.folder.exists()
    with pytest.raises(KeyboardInterrupt), evidence() as found:
        raise KeyboardInterrupt
    assert not found.folder.exists()


def test_what_failed_can_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    with evidence() as found:
        found.kept = True
    with pytest.raises(ValueError, match="no"), evidence() as other:
        raise ValueError("no")
    said = capsys.readouterr().out
    for each in (found.folder, other.folder):
        assert str(each) in said
        each.rmdir()


def test_a_chosen_folder_stays(tmp_path: Path) -> None:
    with evidence(tmp_path):
        pass
    assert tmp_path.exists()


def test_sigterm_ends_a_run_as_ctrl_c_does() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_as_by_ctrl_c()
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
