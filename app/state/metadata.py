"""What a task's state says of itself, and whether that is what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from app.state.records import RecordDamaged, read_record, write_record

METADATA_FILE: Final = "metadata.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose state it has to be.

    subtopology: a digest of all that decides what the bytes of its stores mean. stores: their names. changelogs: topic
    id by store; a recreated topic has the old name and another id. delete_retention_ms: how long the changelogs keep
    tombstones; older state may have missed some. None where there is no changelog.
    """

    application_id: str
    task: str
    subtopology: str
    stores: Sequence[str]
    changelogs: Mapping[str, str] = field(default_factory=dict)
    delete_retention_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """boot: of the machine. transaction: the last commit when it was opened. clean: closed and on the disk since
    `closed_ms`, `size` bytes with the checksum `crc` (None: too large to be read whole). damaged: why it must not be
    opened again."""

    format: int
    application_id: str
    task: str
    subtopology: str
    changelogs: dict[str, str]
    boot: str
    transaction: int = 0
    clean: bool = False
    closed_ms: int = -1
    size: int = 0
    crc: int | None = None
    damaged: str | None = None

    def keep(self, folder: Path) -> None:
        write_record(folder / METADATA_FILE, asdict(self))

    def differs_from(self, expected: Expected) -> str | None:
        """Why it is somebody else's."""
        for name, mine, theirs in (
            ("application id", self.application_id, expected.application_id),
            ("task", self.task, expected.task),
            ("sub-topology", self.subtopology, expected.subtopology),
        ):
            if mine != theirs:
                return f"it is of another {name}: {mine!r}, not {theirs!r}"
        for store, topic_id in expected.changelogs.items():
            if self.changelogs.get(store) != topic_id:
                return f"the changelog of {store} was recreated: topic id {topic_id}, not {self.changelogs.get(store)}"
        return None


def read_metadata(folder: Path) -> Metadata | None:
    """None: there is none. RecordDamaged: it cannot be believed."""
    facts = read_record(folder / METADATA_FILE)
    if facts is None:
        return None
    if facts.get("format") != FORMAT:
        raise RecordDamaged(f"its format is {facts.get('format')}, this version reads {FORMAT}")
    try:
        return Metadata(**facts)
    except TypeError as error:
        raise RecordDamaged(f"{METADATA_FILE} has other fields than this version knows") from error
