"""Runs in a copy of the tree: vectors and tests until the first that fails, whose name it prints; with --all, all.

Exit code 0: nothing failed. What fails anyway comes in on standard input, one name a line.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.conformance.__main__ import failure, files, read

VECTORS = Path("tests/conformance/vectors")
# The list of breaks is left out: it would notice every break.
UNIT_TESTS = ("tests/streams", "--ignore=tests/streams/mutations", "--ignore=tests/streams/properties")
PROPERTIES = ("tests/streams/properties",)


def failing_vectors(paths: Sequence[Path]) -> Iterator[str]:
    for path in files([str(path) for path in paths]):
        group = read(path)
        for scenario in group["scenarios"]:
            if failure(scenario, verbose=False) is not None:
                yield f"{group['group']}/{scenario['name']}"


def failing_tests(selection: Sequence[str], known: Iterable[str] = (), *, first: bool = False) -> list[str]:
    """Names of tests, or of files that cannot even be read. Random examples are the same each time."""
    options = ["-q", "-p", "no:cacheprovider", "--hypothesis-seed=1", "--tb=no", *(["-x"] if first else [])]
    options += [f"--deselect={name}" if "::" in name else f"--ignore={name}" for name in known]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *selection], capture_output=True, text=True, check=False
    )
    if ran.returncode == 0:
        return []
    named = [line.split(" - ")[0] for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return [name.split(" ", 1)[1] for name in named] or [f"pytest ends with {ran.returncode}"]


def failing_now() -> Iterator[str]:
    """Everything that fails in this tree."""
    yield from failing_vectors([VECTORS])
    yield from failing_tests([*UNIT_TESTS, *PROPERTIES])


def first_failing(known: set[str]) -> str | None:
    """Written vectors, unit tests, properties, and then random vectors, which are many."""
    tests = {name for name in known if ".py" in name}
    written, random = sorted(VECTORS.glob("*.json.gz")), [VECTORS / "random"]
    found = next((name for name in failing_vectors(written) if name not in known), None)
    for selection in (UNIT_TESTS, PROPERTIES):
        found = found or next(iter(failing_tests(selection, tests, first=True)), None)
    return found or next((name for name in failing_vectors(random) if name not in known), None)


def main(arguments: Sequence[str]) -> int:
    if arguments == ["--all"]:
        print(*failing_now(), sep="\n")
        return 0
    found = first_failing(set(sys.stdin.read().splitlines()))
    if found is not None:
        print(found)
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
