"""Proof that the tests see: breaks the engine in a copy of the tree, one way at a time, and asks them.

    scripts/mutations [TEXT …]   all breaks, or those whose name contains one of the texts

Exit code 0: each was caught; 1: some survived, so a scenario is missing; 2: the list does not fit the code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.streams.mutations.listing import Break, breaks

ROOT = Path(__file__).parents[3]
COPIED = "app/__init__.py app/streams tests/__init__.py tests/conformance tests/streams pyproject.toml docs examples"
JUDGE = ("-m", "tests.streams.mutations.judge")
# Seconds. All tests need less than a tenth of it: what takes longer has lost its way.
PATIENCE = 900


def copy(target: Path) -> None:
    for name in COPIED.split():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


def python(target: Path, arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
    # A compiled file of the unbroken text must never be taken for the broken one's.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=target,
        input=given,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def failing_now(target: Path) -> list[str]:
    """What the unbroken tree fails: that proves nothing."""
    ran = python(target, [*JUDGE, "--all"])
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr)
    found = [line for line in ran.stdout.splitlines() if line]
    if found:
        print(f"fail without any break, and are left out: {len(found)}: {', '.join(found[:20])}", flush=True)
    return found


def verdict(target: Path, change: Break, known: Iterable[str]) -> str | None:
    """What caught the break; None if nothing did."""
    path = target / change.file
    kept = path.read_text()
    change.make(target)
    try:
        ran = python(target, JUDGE, "\n".join(known))
    except subprocess.TimeoutExpired:
        return "never ends"
    finally:
        path.write_text(kept)
    if ran.returncode == 0:
        return None
    told = ran.stdout.strip().splitlines() or ran.stderr.strip().splitlines()
    return told[-1] if told else f"exit code {ran.returncode}"


def main(wanted: Sequence[str]) -> int:
    chosen = [each for each in breaks() if not wanted or any(text in each.name for text in wanted)]
    faults = [f"{each.name}: {fault}" for each in chosen if (fault := each.fault(ROOT)) is not None]
    if faults or not chosen:
        print("\n".join(faults) or "no break has such a name")
        return 2
    survivors = []
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory)
        copy(target)
        known = failing_now(target)
        for each in chosen:
            caught = verdict(target, each, known)
            print(f"{each.name:44} {each.file.removeprefix('app/streams/'):28} {caught or 'SURVIVED'}", flush=True)
            if caught is None:
                survivors.append(each.name)
    print(f"{len(chosen) - len(survivors)} caught, {len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
