"""Regenerates the vectors: `python -m tests.conformance.scenarios [FAMILY …]`, all families if none is named.

`… expand FAMILY NAME` prints one scenario with every row Java wrote, `… list` the families with their counts.
"""

import sys

from tests.conformance.scenarios import pack
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
    for family in families:
        pack.check(answered[family])
        drawn = family in DRAWN
        pack.write(pack.path(family, drawn), pack.condensed(answered[family]) if drawn else answered[family])
    entries = {family: mark for family, mark in pack.manifest().items() if family in WRITTEN | DRAWN}
    pack.write_manifest(entries | {family: fingerprint(given[family]) for family in families})
    return show_counts()


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
        answered = oracle.answer({family: chosen}, threads=1)
    print("\n".join(pack.lines(answered[family])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
