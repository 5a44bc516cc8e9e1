"""All families of scenarios by name, and the fingerprint of what the vectors are made from."""

import hashlib
import json
from collections.abc import Callable, Iterable

from tests.conformance.scenarios import aggregation, processors, sources, stateless, stores, tables, windows
from tests.conformance.scenarios.build import Json
from tests.conformance.scenarios.java import KAFKA, SOURCES

WRITTEN: dict[str, Callable[[], Iterable[Json]]] = {
    "sources": sources.scenarios,
    "stateless": stateless.scenarios,
    "stores": stores.scenarios,
    "processors": processors.scenarios,
    "tables": tables.scenarios,
    "aggregation": aggregation.scenarios,
    "windows": windows.scenarios,
}
"""Vectors with every expected row."""

DRAWN: dict[str, Callable[[], Iterable[Json]]] = {}
"""Seeded random sequences, whose vectors keep digests."""


def document(family: str) -> Json:
    """The scenarios of a family as one file of the vectors' format, without expectations."""
    rows = list((WRITTEN | DRAWN)[family]())
    names = [row["name"] for row in rows]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise ValueError(f"{family} has two scenarios of one name: {sorted(doubled)}")
    return {"group": family, "kafka": KAFKA, "scenarios": rows}


def fingerprint(given: Json) -> str:
    """Of a family's scenarios and of the oracle that answers them."""
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode())
    for source in sorted(SOURCES.glob("*.java")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
