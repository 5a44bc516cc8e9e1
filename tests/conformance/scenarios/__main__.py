"""Regenerates the vectors: `python -m tests.conformance.scenarios [FAMILY …]`, all families if none is named.

`… expand FAMILY NAME` prints one scenario with every row Java wrote, `… list` the families with their counts.
"""

import sys

from tests.conformance.scenarios import pack
from tests.conformance.scenarios.build import Json
from tests.conformance.scenarios.families import DRAWN, WRITTEN, document, fingerprint
from tests.conformance.scenarios.java import NoJavaError, compiled


def main(arguments: list[str]) -> int:
    try:
        if arguments[:1] == ["list"]:
            return show_counts()
        if arguments[:1] == ["expand"]:
            return expand(*arguments[1:])
        return regenerate(arguments or [*WRITTEN, *DRAWN])
    except NoJavaError as missing:
        print(f"no Java, so no vectors: {missing}", file=sys.stderr)
        return 2


def regenerate(families: list[str]) -> int:
    unknown = [family for family in families if family not in WRITTEN | DRAWN]
    if unknown:
        print(f"unknown: {' '.join(unknown)}; there are {' '.join([*WRITTEN, *DRAWN])}", file=sys.stderr)
        return 2
    print("compiling the oracle", flush=True)
    with compiled() as oracle:
        given = {family: document(family) for family in families}
        print(f"{sum(len(rows['scenarios']) for rows in given.values())} scenarios for Java", flush=True)
        answered = oracle.answer(given)
    entries = {family: mark for family, mark in pack.manifest().items() if family in WRITTEN | DRAWN}
    surprises = [line for family in families for line in store(family, given[family], answered[family], entries)]
    pack.write_manifest(entries)
    show_counts()
    print("\n".join(["", *surprises]) if surprises else "as announced", file=sys.stderr if surprises else sys.stdout)
    return 1 if surprises else 0


def store(family: str, given: Json, answered: Json, entries: dict[str, str]) -> list[str]:
    """Writes a family's vectors, or none of them if an outcome is not the announced one."""
    surprises = pack.surprises(given, answered)
    if not surprises:
        drawn = family in DRAWN
        pack.write(pack.path(family, drawn), pack.condensed(answered) if drawn else answered)
        entries[family] = fingerprint(given)
    return surprises


def show_counts() -> int:
    scenarios = size = 0
    for family in [*WRITTEN, *DRAWN]:
        file = pack.path(family, family in DRAWN)
        rows = pack.read(file)["scenarios"] if file.exists() else []
        events = sum(len(row["events"]) for row in rows)
        scenarios, size = scenarios + len(rows), size + (file.stat().st_size if rows else 0)
        print(f"{family:24} {len(rows):5} scenarios {events:7} events")
    print(f"{'all':24} {scenarios:5} scenarios, {size / 1e6:.2f} MB")
    return 0


def expand(family: str, name: str) -> int:
    given = document(family)
    chosen = given | {"scenarios": [row for row in given["scenarios"] if row["name"] == name]}
    if not chosen["scenarios"]:
        print(f"no scenario {name} in {family}", file=sys.stderr)
        return 2
    with compiled() as oracle:
        answered = oracle.answer({family: chosen}, threads=1)[family]
    print("\n".join(pack.lines(answered)))
    return 0 if answered["scenarios"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
