"""A worker that finds its state directory not as it left it: outputs go on exactly, and one line says what it did."""

import asyncio
import random
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from app.kafka.internal_topics import ensure_internal_topics
from app.state import Expected, open_task_state, take_slot
from app.state.metadata import Metadata, read_metadata
from app.state.records import read_record, write_record
from app.streams.stores.base import Marks
from app.worker.clock import now_ms
from tests.service import get, service, wait_until
from tests.tail import Tail, tailing
from tests.worker.lived_in import counting, environment
from tests.worker.working import Site, until, working

BEFORE, AFTER = 3, 3
"""Records of a key before the damage and after it."""
DAY_MS = 86_400_000
FILLER = 300
"""Other keys: enough for pages that hold nothing else."""


@dataclass(frozen=True)
class Damage:
    """What is done to the state of the task. why: what the one line says; None: it does no harm, and there is none."""

    name: str
    how: str
    do: Callable[[Path], object]
    why: str | None
    restored: bool = field(default=True)


def _flip(task: Path) -> None:
    data = bytearray((task / "data.mdb").read_bytes())
    for at in random.Random(5).sample(range(len(data)), 3):
        data[at] ^= 0x10
    (task / "data.mdb").write_bytes(data)


def _cut(task: Path) -> None:
    data = (task / "data.mdb").read_bytes()
    (task / "data.mdb").write_bytes(data[: len(data) // 2])


def _smear(task: Path) -> None:
    """A root page that was never written."""
    data = bytearray((task / "data.mdb").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : (page + 1) * 4096] = bytes(4096)
    (task / "data.mdb").write_bytes(data)


def _said(folder: Path, **changes: object) -> None:
    """Metadata that say something else, with a checksum that fits."""
    facts = read_record(folder / "metadata.json")
    assert facts is not None
    write_record(folder / "metadata.json", {**facts, **changes})


def _lived(task: Path, now: int, position: int) -> None:
    """A life that came to a commit at this time, with the stores at this position of their changelogs."""
    found = read_metadata(task)
    assert isinstance(found, Metadata)
    stores = ("counts", "windows")
    expected = Expected(found.application_id, found.task, found.subtopology, stores, found.changelogs)
    with open_task_state(task.parent, expected, lambda: now) as state:
        assert state.aside is None
        for spec in _specs():
            base = state.base(spec)
            marks = base.marks()
            base.apply([], Marks(position or marks.position, marks.stream_time))


def _specs() -> list[Any]:
    site = Site("", Path(), lambda builder, here: counting(builder, here.topic("in")))
    return list(site.topology().stores.values())


def _link(task: Path) -> None:
    (task / "data.mdb").rename(task.parent / "elsewhere")
    (task / "data.mdb").symlink_to(task.parent / "elsewhere")


DAMAGES = (
    Damage("bits flipped", "closed", _flip, "its checksum differs"),
    Damage("bits flipped after a kill", "killed", _smear, "data.mdb"),
    Damage("cut off", "closed", _cut, "when it was closed"),
    Damage("cut off after a kill", "killed", _cut, "data.mdb"),
    Damage("data deleted", "closed", lambda task: (task / "data.mdb").unlink(), "data.mdb is gone"),
    Damage("data a link", "closed", _link, "no regular file"),
    Damage("metadata deleted", "killed", lambda task: (task / "metadata.json").unlink(), "its metadata are gone"),
    Damage("metadata scribbled", "closed", lambda task: (task / "metadata.json").write_text("{}"), "fails its checksum"),
    Damage("of another application", "closed", lambda task: _said(task, application_id="x"), "another application id"),
    Damage("of another task", "closed", lambda task: _said(task, task="0_7"), "another task"),
    Damage("of another topology", "closed", lambda task: _said(task, subtopology="x"), "another sub-topology"),
    Damage("of a newer format", "closed", lambda task: _said(task, format=99), "format"),
    Damage("after a power-off", "killed", lambda task: _said(task, boot="another"), "the machine stopped"),
    Damage("too old", "closed", lambda task: _lived(task, now_ms() - 2 * DAY_MS, 0), "keep deletions"),
    Damage("beyond its changelog", "closed", lambda task: _lived(task, now_ms(), 10**6), "changelog"),
    Damage("lock table scribbled", "closed", lambda task: (task / "lock.mdb").write_bytes(b"\xff" * 8192), None),
    Damage("closed", "closed", lambda task: None, None),
    Damage("killed", "killed", lambda task: None, None),
)
KEYS = len(DAMAGES) + FILLER
"""Of either store. All were counted in the first commits: a restore from the beginning reads at least so many rows."""


@dataclass(frozen=True)
class Left:
    """What a worker left behind: its directory, closed or as after `kill -9`."""

    site: Site
    folders: dict[str, Path]


@pytest.fixture(scope="module")
def left(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """One application for all: every case has a key of its own, and a copy of the directory."""
    root = tmp_path_factory.mktemp("left")
    site = site_of(kafka, root / "state")
    first = [(damage.name.encode(), b"w") for damage in DAMAGES for _ in range(BEFORE)]
    filler = [(b"filler %d" % number, b"w" * 100) for number in range(FILLER)]
    asyncio.run(site.send("in", first + filler))
    folders = {}
    for how, end in (("killed", signal.SIGKILL), ("closed", signal.SIGTERM)):
        with service(root, environment(kafka, site.name, site.topic("in"), root / "state")) as (life, port):
            wait_until("all is committed", lambda: committed(port) == [KEYS, KEYS])
            life.end(end)
        folders[how] = shutil.copytree(root / "state", root / how)
    return Left(site, folders)


def committed(port: int) -> list[int]:
    """Rows of each store."""
    families = text_string_to_metric_families(get(port, "/metrics")[1])
    return [
        int(sample.value) for family in families if family.name == "app_streams_store_rows" for sample in family.samples
    ]


def site_of(kafka: str, folder: Path) -> Site:
    site = Site(kafka, folder, lambda builder, here: counting(builder, here.topic("in")), partitions=1)
    site.create("in", "in-out")
    return site


async def goes_on(site: Site, state: Path, key: bytes, outputs: Tail, first: int) -> int:
    """A worker over this state counts the next records of a key; how many rows it restored."""
    worker = site.worker(state)
    async with working(worker):
        await site.send("in", [(key, b"w")] * AFTER)
        await until(lambda: counts(outputs, key)[-1:] == [first + AFTER - 1], f"{key!r} is counted to the end")
        restored = worker.statistics().restore.rows
    outputs.more()
    assert counts(outputs, key) == list(range(first, first + AFTER))
    return restored


def counts(outputs: Tail, key: bytes) -> list[int]:
    outputs.more(timeout_ms=20)
    return [int.from_bytes(record.value, "big") for record in outputs.records if record.key == key]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Lines about the state."""
    words = ("aside", "rebuilt", "instance id", "lost")
    return [text for text in (str(record.getMessage()) for record in caplog.records) if any(w in text for w in words)]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_told_and_mended(
    damage: Damage, left: Left, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = shutil.copytree(left.folders[damage.how], tmp_path / "state")
    slot = state / left.site.name / "0"
    damage.do(slot / "0_0")
    with tailing(left.site.server, left.site.topic("in-out")) as outputs:
        restored = asyncio.run(goes_on(left.site, state, damage.name.encode(), outputs, BEFORE + 1))
    aside = [path.name for path in slot.iterdir() if "aside" in path.name]
    lines = said(caplog)
    if damage.why is None:
        assert (lines, aside) == ([], [])
        assert restored < KEYS, "only what it missed"
    else:
        assert len(lines) == 1, lines
        assert damage.why in lines[0]
        assert (len(aside), restored >= 2 * KEYS) == (1, True)
