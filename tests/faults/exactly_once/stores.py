"""What lies on disk when all instances have ended: each store is what its changelog says up to its position.

The changelogs are judged by themselves. A state that is older than its changelog, because the task moved away, is held
to the position that it claims; somebody must have come to the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.state.metadata import read_metadata
from app.streams import Builder, StreamsConfig
from app.streams.model import TaskId, TopicPartition
from app.streams.stores import memory_base
from app.streams.stores.memory import MemoryBase
from app.streams.stores.specs import StoreSpec
from app.streams.stores.store import Restored
from app.streams.task import Task
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology
from app.worker.identity import identified
from app.worker.states import States
from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.findings import Finding, Kind
from tests.faults.exactly_once.logs import Logged, Logs
from tests.faults.exactly_once.oracle import JOIN_STORES

Rows = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Kept:
    """A store of one task in one slot. where: for whoever reads a finding. changelog: its partition."""

    where: str
    task: TaskId
    store: str
    changelog: TopicPartition
    position: int
    rows: Rows


async def judge_stores(names: of.Names, folders: Iterable[Path], logs: Logs) -> tuple[list[Finding], int]:
    """folders: state directories of instances that have ended. What is wrong, and how many rows were compared."""
    topology = topology_of(names)
    kept = [each for folder in folders for each in await _kept(topology, names.application, folder)]
    findings: list[Finding] = []
    reached: dict[TopicPartition, int] = {}
    for each in kept:
        history = logs.of(each.changelog.topic, each.changelog.partition)
        expected, found = _restored(topology, each, history), each.rows
        if each.store.removesuffix("-store") in JOIN_STORES:
            expected, found = _unnumbered(expected), _unnumbered(found)
        findings += differences(each.where, expected, found)
        reached[each.changelog] = max(each.position, reached.get(each.changelog, 0))
    for changelog, position in sorted(reached.items()):
        history = logs.of(changelog.topic, changelog.partition)
        if history and position <= history[-1].offset:
            where = f"{changelog.topic}-{changelog.partition}, the stores of all instances"
            findings.append(Finding(Kind.LOST, where, None, f"a position behind {history[-1].offset}", position))
    if not kept:
        findings.append(Finding(Kind.LOST, "the state directories", None, "stores", None))
    return findings, sum(len(each.rows) for each in kept)


def differences(where: str, expected: Rows, found: Rows) -> list[Finding]:
    if expected == found:
        return []
    due, there = dict(expected), dict(found)
    return [
        Finding(_kind(due, there, key), where, key, due.get(key), there.get(key))
        for key in sorted(due.keys() | there.keys())
        if due.get(key) != there.get(key)
    ] or [Finding(Kind.DIFFERENT, where, None, "the rows in their order", "another order")]


def _unnumbered(rows: Rows) -> Rows:
    """Without the number at the key's end: a store and its changelog count for themselves. No key has two rows."""
    return [(key[:-4], value) for key, value in rows]


def _kind(due: Mapping[bytes, bytes], there: Mapping[bytes, bytes], key: bytes) -> Kind:
    return Kind.LOST if key not in there else Kind.DIFFERENT


def topology_of(names: of.Names) -> Topology:
    builder = Builder(StreamsConfig(application_id=names.application))
    of.topology(builder)
    return builder.build()


async def _kept(topology: Topology, application: str, folder: Path) -> list[Kept]:
    """Of every slot; one that cannot be trusted is moved aside, and so holds nothing."""
    with identified(folder, application) as identity:
        if identity.slot is None:
            raise AssertionError("a slot on disk")
        async with States(topology, identity.slot) as states:
            found = [
                kept
                for part in subtopologies(topology)
                for task in _tasks(part, identity.slot.tasks())
                async for kept in _stores(topology, states, part, task, identity.slot.path)
            ]
        if (identity.slot.path.parent / str(int(identity.slot.path.name) + 1)).exists():
            # While this one is held, the next slot is the first that is free.
            found += await _kept(topology, application, folder)
        return found


def _tasks(part: Subtopology, names: Collection[str]) -> list[TaskId]:
    split = [name.split("_") for name in names]
    return [TaskId(part.number, int(partition)) for number, partition in split if int(number) == part.number]


async def _stores(
    topology: Topology, states: States, part: Subtopology, task: TaskId, slot: Path
) -> AsyncIterator[Kept]:
    said = read_metadata(slot / str(task))
    await states.open(task, part, {} if said is None else said.changelogs)
    base = states.bases(task)
    for name in part.stores(topology):
        store = base(topology.stores[name])
        changelog = TopicPartition(topology.changelog(name), task.partition)
        position = store.marks().position or 0
        yield Kept(
            f"{slot.parent.parent.name}/{slot.name}/{task} {name}",
            task,
            name,
            changelog,
            position,
            list(store.scan(None, None)),
        )
    await states.close(task)


def _restored(topology: Topology, kept: Kept, history: Iterable[Logged]) -> Rows:
    """The rows of a store that is made from its changelog, as far as it claims to hold it."""
    bases: dict[str, MemoryBase] = {}

    def base(spec: StoreSpec) -> MemoryBase:
        return bases.setdefault(spec.name, memory_base(spec))

    part = next(part for part in subtopologies(topology) if part.number == kept.task.subtopology)
    task = Task(topology, part, kept.task, partitions=lambda _: None, bases=base)
    rows: list[Restored] = [
        (row.key or b"", row.value, row.timestamp, ()) for row in history if row.offset < kept.position
    ]
    task.restore(kept.store, rows, kept.position)
    return list(bases[kept.store].scan(None, None))
