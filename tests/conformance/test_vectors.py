"""Committed vectors, three ways: all that were written and a quarter of those that were drawn. `python -m
tests.conformance tests/conformance/vectors` replays them all. One test per scenario, so a failure names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.__main__ import files, main, read
from tests.conformance.compare import check

VECTORS = Path(__file__).parent / "vectors"
ONE_DRAWN_IN = 4


def scenarios() -> Iterator[Any]:
    for path in files([str(VECTORS)]):
        group = read(path)
        step = ONE_DRAWN_IN if path.parent.name == "random" else 1
        for scenario in group["scenarios"][::step]:
            yield pytest.param(scenario, id=f"{group['group']}/{scenario['name']}")


@pytest.mark.parametrize("scenario", list(scenarios()))
def test_vector(scenario: dict[str, Any]) -> None:
    check(scenario)


def test_nothing_found_is_told_by_the_exit_code(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2


def test_an_unknown_word_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = {"name": "n", "topology": [{"op": "fly"}], "events": [], "build_error": "TopologyException"}
    text = json.dumps({"group": "g", "kafka": "4.3.1", "scenarios": [scenario]})
    (tmp_path / "one.json").write_text(text)
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "FAILED g/n: not known to this interpreter: op fly" in printed
    assert printed.endswith("0 passed, 1 failed\n")
