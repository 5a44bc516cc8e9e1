from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=_ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_data_and_position_agree_after_every_kill(tmp_path: Path) -> None:
    assert int(run("tests.state.killing", str(tmp_path), "1", "30")) > 10


def test_a_full_disk_says_so_and_keeps_what_was_committed(tmp_path: Path) -> None:
    said = run("tests.state.filling", str(tmp_path))
    assert f"cannot be written to {tmp_path}/0_1" in said
    assert "bytes" in said
    assert "nothing of the last write was kept" in said
