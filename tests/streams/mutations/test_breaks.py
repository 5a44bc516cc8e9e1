"""The list of breaks fits the code; scripts/mutations makes them, which takes long."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.streams.mutations.listing import Break, breaks

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("each", breaks(), ids=lambda each: each.name)
def test_a_break_changes_one_place_of_the_code_that_is(each: Break, tmp_path: Path) -> None:
    assert each.fault(ROOT) is None
    copy = tmp_path / each.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / each.file).read_text())
    each.make(tmp_path)
    assert ast.dump(ast.parse(copy.read_text())) != ast.dump(ast.parse((ROOT / each.file).read_text()))


def test_names_are_unique_and_there_are_enough() -> None:
    names = [each.name for each in breaks()]
    assert len(names) == len(set(names)) >= 40
