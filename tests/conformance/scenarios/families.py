"""All families of scenarios by name, and the fingerprint of what the vectors are made from."""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import partial

from tests.conformance.scenarios import (
    aggregation,
    caching,
    drawn_aggregates,
    drawn_joins,
    drawn_stores,
    errors,
    foreign_joins,
    join_variants,
    lookup_joins,
    mixtures,
    naming,
    optimization,
    processors,
    restarts,
    sources,
    stateless,
    stores,
    stream_joins,
    suppress,
    table_joins,
    tables,
    windows,
)
from tests.conformance.scenarios.build import Json
from tests.conformance.scenarios.java import KAFKA, SOURCES

WRITTEN: dict[str, Callable[[], Iterable[Json]]] = {
    "sources": sources.scenarios,
    "stateless": stateless.scenarios,
    "naming": naming.scenarios,
    "optimization": optimization.scenarios,
    "errors": errors.scenarios,
    "stores": stores.scenarios,
    "processors": processors.scenarios,
    "tables": tables.scenarios,
    "aggregation": aggregation.scenarios,
    "windows": windows.scenarios,
    "caching": caching.scenarios,
    "restarts": restarts.scenarios,
    "stream-joins": stream_joins.scenarios,
    "join-variants": join_variants.scenarios,
    "lookup-joins": lookup_joins.scenarios,
    "table-joins": table_joins.scenarios,
    "foreign-joins": foreign_joins.scenarios,
    "suppress": suppress.scenarios,
    "mixtures": mixtures.scenarios,
}
"""Vectors with every expected row."""

DRAWN: dict[str, Callable[[], Iterable[Json]]] = {
    name: partial(family.scenarios, name)
    for name, family in (drawn_aggregates.FAMILIES | drawn_joins.FAMILIES | drawn_stores.FAMILIES).items()
}
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
    """Of a family's scenarios and of the oracle that answers them; how either is laid out does not count."""
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode())
    for source in sorted(SOURCES.glob("*.java")):
        digest.update("".join(source.read_text("utf-8").split()).encode())
    return digest.hexdigest()
