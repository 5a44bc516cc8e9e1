"""The scripts that set a machine up: what they refuse and say, and that they do nothing when nothing is to be done."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCED = "environment"
SCRIPTS = sorted(file.name for file in (ROOT / "scripts").iterdir() if file.name != SOURCED)


def sh(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs `script` in `folder`, by default with the standard commands on PATH."""
    environ = {"PATH": os.defpath} | environ
    shell = ["/bin/sh", "-c", f"set -eu\n{script}"]
    return subprocess.run(shell, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a checkout has before the first run, as far as the set-up looks at it."""
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def command(file: Path, script: str) -> str:
    """Makes `file` a command, and returns its path."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_plain_sh_and_can_be_run(name: str) -> None:
    script = ROOT / "scripts" / name
    assert script.read_text().startswith("#!/bin/sh\n")
    assert os.access(script, os.X_OK)
    assert sh(f"sh -n {script}", ROOT).stderr == ""


def test_without_a_python_that_will_do_the_need_is_said(checkout: Path) -> None:
    # python3.14 is there, too old or broken as its name may be; nothing else is on PATH.
    command(checkout / "bin" / "python3.14", "exit 1")
    refused = sh(". scripts/environment; environment embedded", checkout, PATH=str(checkout / "bin"))
    assert refused.returncode == 69
    assert refused.stderr == (
        "Python 3.11 or later is needed and none is on PATH; PYTHON=/path/to/python3 names one elsewhere.\n"
    )


def test_a_python_that_was_named_is_not_replaced_by_another(checkout: Path) -> None:
    named = command(checkout / "a folder" / "python", "exit 1")
    refused = sh(". scripts/environment; environment embedded", checkout, PYTHON=named)
    assert refused.returncode == 69
    assert refused.stderr == f"PYTHON={named} is no Python 3.11 or later.\n"


def test_a_python_without_venv_is_told_apart(checkout: Path) -> None:
    """Debian's lacks it until its package is installed."""
    named = command(
        checkout / "a folder" / "python", f'[ "$*" = "-m venv .venv" ] && exit 1; exec {sys.executable} "$@"'
    )
    refused = sh(". scripts/environment; environment embedded", checkout, PYTHON=named)
    assert refused.returncode == 69
    assert refused.stderr.splitlines()[-1] == (
        f"{named} cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)."
    )
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("held", ["embedded", "dev"])
def test_what_is_installed_is_not_installed_again(checkout: Path, held: str) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    shutil.copy(checkout / f"requirements/{held}.txt", checkout / ".venv")
    done = sh(". scripts/environment; environment embedded; echo ready", checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


def test_a_changed_lock_is_installed(checkout: Path) -> None:
    """Seen by the attempt: the package that the changed file names does not exist."""
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    shutil.copy(checkout / "requirements/embedded.txt", checkout / ".venv")
    (checkout / "requirements/embedded.txt").write_text("./nowhere --hash=sha256:00\n")
    failed = sh(". scripts/environment; environment embedded", checkout)
    assert failed.returncode == 69
    assert failed.stderr.startswith("Installing requirements/embedded.txt, once ...\n")
    assert failed.stderr.endswith("The installation failed; the lines above say why.\n")
    assert not (checkout / ".venv/embedded.txt").exists()


def test_bench_lists_the_benchmarks_that_there_are() -> None:
    refused = sh("scripts/bench nonesuch", ROOT)
    assert refused.returncode == 64
    assert refused.stderr.startswith("No benchmark is called nonesuch.\nusage: scripts/bench NAME [OPTIONS]")
    listed = set(refused.stderr.splitlines()[2:])
    assert listed == {file.stem for file in (ROOT / "benchmarks").glob("[a-z]*.py")}
