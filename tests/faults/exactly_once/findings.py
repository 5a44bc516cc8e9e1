"""What is wrong with a log, and how two of them are compared."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.faults.exactly_once.logs import Logged, Written


class Kind(enum.Enum):
    LOST = "lost"
    DOUBLED = "doubled"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Finding:
    """where: topic-partition. offset: of what was found; None where something is missing."""

    kind: Kind
    where: str
    key: bytes | None
    expected: object
    found: object
    offset: int | None = None

    def __str__(self) -> str:
        at = f"@{self.offset}" if self.offset is not None else ""
        return f"{self.kind.value} in {self.where}{at}: key {self.key!r}, expected {self.expected}, found {self.found}"


def summary(findings: Iterable[Finding]) -> str:
    counts = Counter(finding.kind for finding in findings)
    return ", ".join(f"{counts[kind]} {kind.value}" for kind in Kind)


def compare(where: str, expected: Sequence[Written], found: Sequence[Logged], *, ordered: bool = True) -> list[Finding]:
    """The same records, each exactly once, and in the same order unless that is not to be foretold."""
    if ordered and len(expected) == len(found) and all(map(_is_same, expected, found)):
        return []
    findings = _differences(where, expected, found)
    if ordered and not findings:
        wrong = next((pair for pair in zip(expected, found, strict=True) if not _is_same(*pair)), None)
        if wrong is not None:
            findings.append(_changed(where, *wrong))
    return findings


def missing(where: str, expected: Sequence[Written], found: Sequence[Logged]) -> list[Finding]:
    """What is not there even once."""
    there = {row.written for row in found}
    return [Finding(Kind.LOST, where, row.key, row, None) for row in dict.fromkeys(expected) if row not in there]


def _differences(where: str, expected: Sequence[Written], found: Sequence[Logged]) -> list[Finding]:
    """Copies beyond the expected ones are doubled; a record that nobody expects stands for one of its key that is
    missing, if one is."""
    due = Counter(expected)
    known = set(due)
    surplus: list[Logged] = []
    for row in found:
        if due[row.written] > 0:
            due[row.written] -= 1
        else:
            surplus.append(row)
    absent: dict[bytes | None, deque[Written]] = defaultdict(deque)
    for wanted in expected:
        if due[wanted] > 0:
            due[wanted] -= 1
            absent[wanted.key].append(wanted)
    findings = []
    for extra in surplus:
        if extra.written in known:
            findings.append(Finding(Kind.DOUBLED, where, extra.key, extra.written, extra.written, extra.offset))
        elif absent[extra.key]:
            findings.append(_changed(where, absent[extra.key].popleft(), extra))
        else:
            findings.append(Finding(Kind.DIFFERENT, where, extra.key, None, extra.written, extra.offset))
    return findings + [Finding(Kind.LOST, where, row.key, row, None) for rows in absent.values() for row in rows]


def _is_same(expected: Written, found: Logged) -> bool:
    return found[1:] == expected


def _changed(where: str, expected: Written, found: Logged) -> Finding:
    return Finding(Kind.DIFFERENT, where, found.key, expected, found.written, found.offset)
