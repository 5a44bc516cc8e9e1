"""docs/streams.md, docs/features.md and examples/ say what is so: code runs, counts agree, evidence exists."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "streams.md").read_text("utf-8")
FEATURES = (ROOT / "docs" / "features.md").read_text("utf-8")
VECTORS = ROOT / "tests" / "conformance" / "vectors"
PROGRAMS = ("word_count", "clicks_per_minute", "ad_outcomes", "invoices")
# How many features each area of the inventory has.
AREAS = {"A": 12, "B": 17, "C": 10, "D": 15, "E": 9, "F": 19, "G": 7, "H": 16} | {
    "I": 16, "J": 12, "K": 15, "L": 14, "M": 9, "N": 9, "O": 9, "P": 5
}  # fmt: skip
IDS = [f"{area}{number}" for area, last in AREAS.items() for number in range(1, last + 1)]
STATES = ("same", "differs", "not yet")


@dataclass(frozen=True)
class Block:
    """Code of the page, the example it is quoted from if any, and what the page says that it prints."""

    line: int
    example: str | None
    code: str
    printed: str


def blocks() -> list[Block]:
    pattern = r"^```python(?: (\S+))?\n(.*?)^```\n(?:```text\n(.*?)^```\n)?"
    return [
        Block(PAGE.count("\n", 0, found.start()) + 2, found[1], found[2], found[3] or "")
        for found in re.finditer(pattern, PAGE, re.MULTILINE | re.DOTALL)
    ]


def runs(block: Block) -> bool:
    """All but quotations without their imports, whose whole programs run in a test of their own."""
    return block.example is None or "import" in block.code


def program(name: str) -> ModuleType:
    return importlib.import_module(f"examples.{name}")


def lines_of_code(text: str) -> int:
    """Without blank lines, comments, docstrings and imports."""
    skipped = ("#", "//", "import ", "from ", "package ")
    code = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    return sum(bool(line.strip()) and not line.strip().startswith(skipped) for line in code.splitlines())


# the page


def test_every_block_of_the_page_runs_and_prints_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    page = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)  # where dataclasses look for their own types
    ran = 0
    for block in blocks():
        if not runs(block):
            continue
        before = set(vars(page))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = compile("\n" * (block.line - 1) + block.code, "docs/streams.md", "exec", dont_inherit=True)
            exec(code, vars(page))  # noqa: S102  # our own page
            for name in sorted(set(vars(page)) - before):
                if name.startswith("test_"):
                    vars(page)[name]()
        expected = block.printed if block.example is None else ""
        assert said.getvalue() == expected, f"docs/streams.md, line {block.line}"
        ran += 1
    assert ran >= 11


def test_the_blocks_of_the_page_pass_mypy_as_one_program(tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text("\n".join(block.code for block in blocks() if runs(block)), "utf-8")
    assert_typed(path, "--allow-redefinition")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_quoted_as_it_is_and_prints_what_the_page_says(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [block] = [block for block in blocks() if block.example == f"examples/{name}.py"]
    assert block.code.strip() in (ROOT / "examples" / f"{name}.py").read_text("utf-8")
    program(name).main()
    assert capsys.readouterr().out == block.printed


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_lines_it_takes_in_both_languages_are_those_of_the_table(name: str) -> None:
    java = "".join(part.capitalize() for part in name.split("_"))
    ours = lines_of_code((ROOT / "examples" / f"{name}.py").read_text("utf-8"))
    theirs = lines_of_code((ROOT / "examples" / "java" / f"{java}.java").read_text("utf-8"))
    assert re.search(rf"^\| \[{name}\.py\]\S* \| {ours} \| {theirs} \|", PAGE, re.MULTILINE), (ours, theirs)


def test_the_page_is_not_a_book() -> None:
    assert PAGE.count("\n") <= 400


@pytest.mark.parametrize("page", ["streams.md", "state.md", "features.md", "differences.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "docs" / page).read_text("utf-8")):
        assert (ROOT / "docs" / target).exists(), target


# the feature table


def rows() -> dict[str, tuple[str, str]]:
    """State and evidence or reason of each feature."""
    found = re.findall(r"^\| ([A-P]\d+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", FEATURES, re.MULTILINE)
    assert [each for each, count in Counter(row[0] for row in found).items() if count > 1] == []
    return {identity: (state.strip(), why.strip()) for identity, state, why in found}


@pytest.fixture(scope="module")
def shown() -> dict[str, set[str]]:
    """The families of committed vectors that name each feature."""
    families: dict[str, set[str]] = {}
    for family, features in vector_features():
        for feature in features:
            families.setdefault(feature, set()).add(family)
    return families


def vector_features() -> Iterator[tuple[str, list[str]]]:
    for path in VECTORS.rglob("*.json*"):
        data = path.read_bytes()
        document: dict[str, Any] = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
        for scenario in document["scenarios"]:
            yield path.name.removesuffix(".gz").removesuffix(".json"), scenario["features"]


def test_every_feature_has_one_row_with_a_state() -> None:
    table = rows()
    assert list(table) == IDS
    assert {state for state, _ in table.values()} <= set(STATES)


def test_what_is_said_to_be_the_same_is_shown_by_a_vector_or_a_test(shown: dict[str, set[str]]) -> None:
    for identity, (state, evidence) in rows().items():
        if state != "same":
            continue
        named = re.findall(r"`([^`]+)`", evidence)
        assert named, f"{identity} names no evidence"
        for each in named:
            if each.startswith("tests/"):
                assert_test_exists(each)
            else:
                assert each in shown.get(identity, ()), f"no vector of family {each} has feature {identity}"


def assert_test_exists(named: str) -> None:
    path, _, test = named.partition("::")
    assert (ROOT / path).is_file(), named
    assert test == "" or re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), named


def test_what_differs_is_a_row_of_the_differences_and_the_other_way_round() -> None:
    differences = (ROOT / "docs" / "differences.md").read_text("utf-8")
    listed = set(re.findall(r"\b[A-P]\d+\b", "\n".join(re.findall(r"^\| ([^|]+) \|", differences, re.MULTILINE))))
    table = rows()
    assert [each for each, (state, _) in table.items() if state == "differs" and each not in listed] == []
    assert [each for each in listed if table[each][0] == "same" and "differences.md" not in table[each][1]] == []


def test_the_page_sums_the_table_up() -> None:
    of = Counter(state for state, _ in rows().values())
    said = (
        f"{len(IDS)} features {of['same']} are the same, {of['differs']} differ on purpose and {of['not yet']} are not"
    )
    assert said in PAGE
    for area in AREAS:
        cells = [
            " ".join(each for each, (state, _) in rows().items() if each[0] == area and state == wanted) or "none"
            for wanted in STATES
        ]
        assert f"| {' | '.join(cells)} |" in PAGE, f"area {area}: | {' | '.join(cells)} |"


# the public face


def test_the_public_names_are_those_of_the_list() -> None:
    package = importlib.import_module("app.streams")
    imported = {name for name, each in vars(package).items() if not name.startswith("_")}
    modules = {name for name in imported if isinstance(getattr(package, name), ModuleType)}
    assert sorted(imported - modules) == sorted(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)


def test_types_are_inferred_through_a_chain() -> None:
    assert_typed(ROOT / "tests" / "typing" / "chains.py", str(ROOT / "examples"))


def assert_typed(*arguments: Path | str) -> None:
    """The files alone: errors of the engine itself belong to the check of the whole project."""
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", "--follow-imports=silent"]
    command = [sys.executable, "-m", "mypy", *options, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
