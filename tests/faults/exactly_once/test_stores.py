"""That stores on disk which are not what their changelogs say are found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.streams.model import TaskId
from app.streams.task import Task
from app.streams.topology.subtopologies import subtopologies
from app.worker.identity import identified
from app.worker.states import States
from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.findings import Kind, summary
from tests.faults.exactly_once.logs import Logged, Logs
from tests.faults.exactly_once.oracle import changelog, topics_to_read
from tests.faults.exactly_once.rehearsal import NAMES, rehearse
from tests.faults.exactly_once.stores import judge_stores, topology_of

COUNTS = changelog(NAMES, "counts")


@pytest.fixture(scope="module")
def logs() -> Logs:
    return rehearse(seed=7, records=200)


async def test_stores_are_what_their_changelogs_say(logs: Logs, tmp_path: Path) -> None:
    await keep(tmp_path, logs)
    findings, compared = await judge_stores(NAMES, [tmp_path], logs)
    assert summary(findings) == "0 lost, 0 doubled, 0 different"
    assert compared > 500


async def test_a_row_that_differs_is_found(logs: Logs, tmp_path: Path) -> None:
    await keep(tmp_path, tampered(logs, lambda rows: [*rows[:-1], rows[-1]._replace(value=bytes(8))]))
    findings, _ = await judge_stores(NAMES, [tmp_path], logs)
    assert [finding.kind for finding in findings] == [Kind.DIFFERENT]


async def test_a_row_that_is_not_there_is_found(logs: Logs, tmp_path: Path) -> None:
    await keep(tmp_path, tampered(logs, lambda rows: [row for row in rows if row.key != rows[-1].key]), logs)
    findings, _ = await judge_stores(NAMES, [tmp_path], logs)
    assert [finding.kind for finding in findings] == [Kind.LOST]


async def test_a_task_that_nobody_brought_to_its_end_is_found(logs: Logs, tmp_path: Path) -> None:
    await keep(tmp_path, tampered(logs, lambda rows: rows[:-1]))
    findings, _ = await judge_stores(NAMES, [tmp_path], logs)
    assert [finding.kind for finding in findings] == [Kind.LOST]
    findings, _ = await judge_stores(NAMES, [tmp_path / "nothing"], logs)
    assert [finding.kind for finding in findings] == [Kind.LOST]


def tampered(logs: Logs, tamper: Callable[[list[Logged]], list[Logged]]) -> Logs:
    """The changelog of one store, in its first partition."""
    records = {
        (topic, part): logs.of(topic, part) for topic, count in topics_to_read(NAMES).items() for part in range(count)
    }
    return Logs(records | {(COUNTS, 0): tamper(logs.of(COUNTS, 0))})


async def keep(folder: Path, logs: Logs, claimed: Logs | None = None) -> None:
    """State of every task as `logs` have it, which claims to hold what `claimed` have."""
    topology = topology_of(NAMES)
    with identified(folder, NAMES.application) as identity:
        async with States(topology, identity.slot) as states:
            for part in subtopologies(topology):
                for number in range(of.GROUP_PARTITIONS if part.number else of.PARTITIONS):
                    task_id = TaskId(part.number, number)
                    await states.open(task_id, part, {})
                    task = Task(topology, part, task_id, partitions=lambda _: None, bases=states.bases(task_id))
                    for store in part.stores(topology):
                        rows = logs.of(topology.changelog(store), number)
                        ends = (claimed or logs).of(topology.changelog(store), number)
                        given = [(row.key, row.value, row.timestamp, ()) for row in rows]
                        task.restore(store, given, ends[-1].offset + 1 if ends else 0)
                    await states.close(task_id)
