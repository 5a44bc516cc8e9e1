"""Replay vectors: `python -m tests.conformance PATH…`, files (.json, .json.gz) or directories of them.

Exit code 0: all passed; 1: some failed; 2: nothing found.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.conformance.compare import check
from tests.conformance.replay import Mismatch
from tests.conformance.values import UnknownName


def files(paths: Sequence[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(found for found in path.rglob("*") if found.name.endswith((".json", ".json.gz")))
        elif path.exists():
            yield path


def read(path: Path) -> dict[str, Any]:
    data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    found: dict[str, Any] = json.loads(data)
    return found


def failure(scenario: dict[str, Any], *, verbose: bool) -> str | None:
    """Why a scenario failed, or None."""
    try:
        check(scenario)
    except Mismatch as found:
        return f"{found.where}\n    expected {_short(found.expected)}\n    got      {_short(found.got)}"
    except UnknownName as found:
        return f"not known to this interpreter: {found}"
    except Exception as cause:  # noqa: BLE001  # told as a failure of this scenario
        told = traceback.format_exc() if verbose else f"{type(cause).__name__}: {cause}"
        return f"an error of the replay itself: {told}"
    return None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 4000 else text[:4000] + "…"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("-k", metavar="TEXT", help="only scenarios whose name contains it")
    parser.add_argument("-v", "--verbose", action="store_true", help="tracebacks of unexpected errors")
    parser.add_argument("-q", "--quiet", action="store_true", help="names of failures only")
    options = parser.parse_args(arguments)
    passed = failed = 0
    for path in files(options.paths):
        group = read(path)
        for scenario in group["scenarios"]:
            if options.k is not None and options.k not in scenario["name"]:
                continue
            reason = failure(scenario, verbose=options.verbose)
            if reason is None:
                passed += 1
                continue
            failed += 1
            text = reason.splitlines()[0] if options.quiet else reason
            print(f"FAILED {group['group']}/{scenario['name']}: {text}")
    print(f"{passed} passed, {failed} failed")
    if passed + failed == 0:
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
