"""The committed vectors are those that the scenarios and the Java oracle of this tree give."""

from collections import Counter
from functools import cache

import pytest

from tests.conformance.scenarios import pack
from tests.conformance.scenarios.build import Json
from tests.conformance.scenarios.digest import BLOCK
from tests.conformance.scenarios.families import DRAWN, WRITTEN, document, fingerprint
from tests.conformance.scenarios.java import NoJavaError, compiled

FAMILIES = [*WRITTEN, *DRAWN]
LIMIT = 5_000_000
"""Bytes of vectors that may be committed."""


AREAS = {"A": 12, "B": 17, "C": 10, "D": 15, "E": 9, "F": 19, "G": 7, "H": 16, "I": 16, "J": 12, "N": 9, "P": 5}
"""The feature inventory's areas that a record can show, and how many ids each has; of K the record cache, K2 to K5."""
NOT_SHOWN = {"C7", "F19", "H6", "H13", "H16", "I14", "I15", "I16", "J9", "J10", "N5", "N7", "N8", "P4", "P5"}
"""Ids that one task without a broker cannot show; the README of this folder says why."""


@cache
def committed(family: str) -> Json:
    return pack.read(pack.path(family, family in DRAWN))


def given(row: Json) -> Json:
    """A vector's scenario as its author wrote it."""
    kept = {name: value for name, value in row.items() if name in ("name", "features", "about", "config", "topology")}
    expected = ("expect", "log", "fails")
    events = [{name: value for name, value in event.items() if name not in expected} for event in row["events"]]
    return kept | {"events": events}


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_belong_to_the_scenarios(family: str) -> None:
    scenarios = document(family)
    assert [given(row) for row in committed(family)["scenarios"]] == scenarios["scenarios"]
    assert pack.manifest().get(family) == fingerprint(scenarios), "the oracle has changed: run scripts/vectors"


def test_nothing_else_is_committed() -> None:
    expected = {pack.path(family, family in DRAWN) for family in FAMILIES}
    assert set(pack.VECTORS.rglob("*.gz")) == expected
    assert set(pack.manifest()) == set(FAMILIES)
    assert sum(file.stat().st_size for file in expected) <= LIMIT


def test_every_scenario_expects_something() -> None:
    for family in FAMILIES:
        for row in committed(family)["scenarios"]:
            if "build_error" in row:
                assert row["events"] == []
            elif "digest" in row:
                assert len(row["digest"]["sha256"]) == -(-len(row["events"]) // BLOCK)
            else:
                assert all("expect" in event or "fails" in event for event in row["events"])
            assert "build_error" in row or "describe" in row


def test_names_are_unique() -> None:
    names = Counter(row["name"] for family in FAMILIES for row in document(family)["scenarios"])
    assert [name for name, count in names.items() if count > 1] == []


def test_every_feature_has_a_scenario() -> None:
    shown = {feature for family in FAMILIES for row in committed(family)["scenarios"] for feature in row["features"]}
    wanted = {f"{area}{number}" for area, count in AREAS.items() for number in range(1, count + 1)}
    assert (wanted | {"K2", "K3", "K4", "K5"}) - shown == NOT_SHOWN


def sample() -> dict[str, Json]:
    """The first and the last scenario of each written family, and the first of every eighth drawn one."""
    chosen: dict[str, Json] = {}
    for family in [*WRITTEN, *[*DRAWN][::8]]:
        given = document(family)
        rows = given["scenarios"]
        chosen[family] = given | {"scenarios": rows[:1] if family in DRAWN else [rows[0], rows[-1]]}
    return chosen


@pytest.mark.timeout(600)
def test_java_still_gives_the_same() -> None:
    """Regenerates a sample in one JVM."""
    documents = sample()
    try:
        with compiled() as oracle:
            answered = oracle.answer(documents)
    except NoJavaError as missing:
        pytest.skip(f"Java is not here, so only the fingerprints were compared: {missing}")
    for family, answer in answered.items():
        assert pack.surprises(documents[family], answer) == []
        fresh = pack.condensed(answer) if family in DRAWN else answer
        old = {row["name"]: row for row in committed(family)["scenarios"]}
        for row in fresh["scenarios"]:
            assert row == old[row["name"]], f"{family}: {row['name']} differs: run scripts/vectors {family}"
