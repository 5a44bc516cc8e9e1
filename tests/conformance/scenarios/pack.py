"""Vectors on disk: one gzip-compressed JSON document a family, readable line by line once unpacked."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conformance.scenarios.build import Json
from tests.conformance.scenarios.digest import BLOCK, block_digests

VECTORS = Path(__file__).parent.parent / "vectors"
MANIFEST = VECTORS / "MANIFEST"


def path(family: str, drawn: bool) -> Path:
    return VECTORS / ("random" if drawn else "") / f"{family}.json.gz"


def surprises(given: Json, answered: Json) -> list[str]:
    """Scenarios that have no answer, or that Java refused, died in, or played against what their `about` announces."""
    names = {row["name"] for row in answered["scenarios"]}
    found = [f"{given['group']}: {row['name']} has no answer" for row in given["scenarios"] if row["name"] not in names]
    for row in answered["scenarios"]:
        died = any("fails" in event for event in row["events"])
        outcome = "refused" if "build_error" in row else "dies" if died else "plays"
        first_word = row["about"].split(" ")[0].rstrip(":")
        announced = first_word if first_word in ("refused", "dies") else "plays"
        if outcome != announced:
            found.append(f"{answered['group']}: {row['name']} {outcome}: {row['about']}")
    return found


def condensed(answered: Json) -> Json:
    """The same document with digests in the place of the expected rows."""
    return answered | {"scenarios": [_condensed(row) for row in answered["scenarios"]]}


def _condensed(row: Json) -> Json:
    digests = block_digests(row["events"], by_topic=row.get("order") == "topic")
    given = [{key: value for key, value in event.items() if key not in ("expect", "log")} for event in row["events"]]
    return row | {"events": given, "digest": {"block": BLOCK, "sha256": digests}}


def write(target: Path, document: Json) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(line + "\n" for line in lines(document))
    # no time stamp and no name: the same vectors give the same file
    target.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def read(source: Path) -> Json:
    document: Json = json.loads(gzip.decompress(source.read_bytes()))
    return document


def lines(document: Json) -> Iterator[str]:
    """One line per field of a scenario, per step and per event."""
    yield f'{{"group": {_compact(document["group"])}, "kafka": {_compact(document["kafka"])}, "scenarios": ['
    yield from _listed(("\n".join(_scenario(row)) for row in document["scenarios"]), "")
    yield "]}"


def _scenario(row: Json) -> Iterator[str]:
    fields = []
    for name, value in row.items():
        if name in ("topology", "events"):
            value_text = "[\n" + "\n".join(_listed((_compact(item) for item in value), "  ")) + "\n]" if value else "[]"
        else:
            value_text = _compact(value)
        fields.append(f"{_compact(name)}: {value_text}")
    yield "{" + ",\n".join(fields) + "}"


def _listed(items: Iterable[str], indent: str) -> Iterator[str]:
    held: str | None = None
    for item in items:
        if held is not None:
            yield f"{indent}{held},"
        held = item
    if held is not None:
        yield f"{indent}{held}"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def manifest() -> dict[str, str]:
    """The fingerprint of each family whose vectors are committed."""
    if not MANIFEST.exists():
        return {}
    rows = (line.split() for line in MANIFEST.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


def write_manifest(entries: dict[str, str]) -> None:
    head = "# family, fingerprint of its scenarios and of the oracle that answered them; written by scripts/vectors\n"
    MANIFEST.write_text(head + "".join(f"{family} {entries[family]}\n" for family in sorted(entries)), encoding="utf-8")
