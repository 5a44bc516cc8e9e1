"""A worker that finds its state directory not as it left it: outputs go on exactly, and one line says what it did."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from app.errors import ExitCode
from app.state import Expected, open_task_state
from app.state.metadata import Metadata, read_metadata
from app.state.records import read_record, write_record
from app.streams.stores.base import Marks
from app.worker.clock import now_ms
from tests.faults.lives import living
from tests.service import get, service, wait_until
from tests.tail import Tail, tailing
from tests.worker.lived_in import counting, environment
from tests.worker.working import Site, until, working

BEFORE, AFTER = 3, 3
"""Records of a key before the damage and after it."""
DAY_MS = 86_400_000
FULL = 2 << 18
"""Bytes of a small disk."""
FILLER = 300
"""Other keys: enough for pages that hold nothing else."""


@dataclass(frozen=True)
class Damage:
    """What is done to the state of the task. why: what the one line says; None: it does no harm, and there is none."""

    name: str
    how: str
    do: Callable[[Path], object]
    why: str | None


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
    Damage(
        "metadata scribbled", "closed", lambda task: (task / "metadata.json").write_text("{}"), "fails its checksum"
    ),
    Damage("of another application", "closed", lambda task: _said(task, application_id="x"), "another application id"),
    Damage("of another task", "closed", lambda task: _said(task, task="0_7"), "another task"),
    Damage("of another topology", "closed", lambda task: _said(task, subtopology="x"), "another sub-topology"),
    Damage("of a newer format", "closed", lambda task: _said(task, format=99), "format"),
    Damage("after a power-off", "killed", lambda task: _said(task, boot="another"), "the machine stopped"),
    Damage("too old", "closed", lambda task: _lived(task, now_ms() - 2 * DAY_MS, 0), "keep deletions"),
    Damage("beyond its changelog", "closed", lambda task: _lived(task, now_ms(), 10**6), "it is at offset 1000000 of"),
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


async def goes_on(site: Site, state: Path, key: bytes, outputs: Tail, first: int, already: int = 0) -> int:
    """A worker over this state counts the next records of a key, of which outputs tell the last `already` ones before;
    how many rows it restored."""
    worker = site.worker(state)
    async with working(worker):
        await site.send("in", [(key, b"w")] * AFTER)
        await until(lambda: counts(outputs, key)[-1:] == [first + AFTER - 1], f"{key!r} is counted to the end")
        restored = worker.statistics().restore.rows
    outputs.more()
    assert counts(outputs, key) == list(range(first - already, first + AFTER))
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


def test_a_changelog_that_was_deleted_takes_the_table_along(
    kafka: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the directory holds is of a topic that is no more: nothing could bring it back elsewhere."""
    site = site_of(kafka, tmp_path)
    with tailing(kafka, site.topic("in-out")) as outputs:
        asyncio.run(goes_on(site, tmp_path, b"k", outputs, 1))
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        admin.delete_topics([f"{site.name}-counts-changelog"])
    with tailing(kafka, site.topic("in-out")) as outputs:
        asyncio.run(goes_on(site, tmp_path, b"k", outputs, 1))
    aside, lost = sorted(said(caplog))
    assert "moved aside" in lost + aside
    assert "recreated" in lost + aside
    assert "a table that is not new has lost what it held" in lost + aside


def test_a_copied_slot_is_another_instance_and_no_two_have_one_slot(
    left: Left, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = shutil.copytree(left.folders["closed"], tmp_path / "state")
    application = state / left.site.name
    shutil.copytree(application / "0", application / "1")

    async def main() -> tuple[str, ...]:
        one, other = left.site.worker(state), left.site.worker(state)
        async with working(one):
            await until(lambda: one.state == "RUNNING", "the first one runs")
            async with working(other):
                await until(lambda: len(one.peers()) == 2, "both are in the group")
                places = [worker.identity.slot.path.name for worker in (one, other) if worker.identity.slot]  # type: ignore[union-attr]
                return (*places, one.self_process, other.self_process)

    first, second, one, other = asyncio.run(main())
    assert (first, second) == ("0", "1")
    assert one != other
    assert len(said(caplog)) == 1
    assert "this process is a new instance" in said(caplog)[0]


def test_a_directory_that_cannot_be_used_is_one_clear_line(kafka: str, left: Left, tmp_path: Path) -> None:
    state = shutil.copytree(left.folders["closed"], tmp_path / "state")
    task = state / left.site.name / "0/0_0"
    shutil.rmtree(task)
    task.write_text("a file")
    with living(tmp_path, environment(kafka, left.site.name, left.site.topic("in"), state)) as life:
        assert life.process.wait(30) == ExitCode.CONFIG
    log = life.log.read_text()
    assert "Traceback" not in log
    assert [line for line in log.splitlines() if "no state can be kept" in line] == log.splitlines()[-1:]


def test_a_full_disk_ends_it_with_one_line_and_with_room_it_goes_on(kafka: str, tmp_path: Path) -> None:
    site = site_of(kafka, tmp_path / "state")
    settings = environment(kafka, site.name, site.topic("in"), tmp_path / "state")
    filler = [(b"%060d" % number, b"w") for number in range(FULL // 100)]
    with tailing(kafka, site.topic("in-out")) as outputs:
        asyncio.run(site.send("in", [*filler, *[(b"k", b"w")] * BEFORE]))
        log = tmp_path / "full.log"
        with log.open("wb") as said_there:
            # A file that may not grow is a disk that is full.
            shell = f"ulimit -f {FULL // 1024}; exec {sys.executable} -m app"
            process = subprocess.run(
                ["bash", "-c", shell],
                stdin=subprocess.DEVNULL,
                stderr=said_there,
                env={**os.environ, **settings, "APP_HTTP__PORT": "0"},
                timeout=30,
                check=False,
            )
        assert process.returncode == ExitCode.UNAVAILABLE, log.read_text()
        assert "Traceback" not in log.read_text()
        lines = [line for line in log.read_text().splitlines() if "state cannot be written" in line]
        assert lines == log.read_text().splitlines()[-1:]
        asyncio.run(goes_on(site, tmp_path / "state", b"k", outputs, BEFORE + 1, already=BEFORE))
    every = Counter(record.key for record in outputs.records)
    assert every == Counter(key for key, _ in filler) + Counter({b"k": BEFORE + AFTER})
