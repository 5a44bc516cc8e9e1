"""What lies on disk when all instances have ended: each store is what its changelog says up to its position.

The changelogs are judged by themselves. A state that is older than its changelog, because the task moved away, is held
to the position it claims; whoever ran a task last must have come to the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from app.streams import Builder, StreamsConfig
from app.streams.model import TaskId, TopicPartition
from app.streams.stores import memory_base
from app.streams.stores.base import Base
from app.streams.stores.memory import MemoryBase
from app.streams.stores.specs import StoreSpec
from app.streams.task import Task
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.tasks import task_partitions
from app.worker.identity import identified
from app.worker.states import States
from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.findings import Finding, Kind
from tests.faults.exactly_once.instances import Application
from tests.faults.exactly_once.logs import Logged, Logs


@dataclass(frozen=True)
class Kept:
    """One store of one task in one state directory."""

    where: str
    task: TaskId
    store: str
    position: int
    rows: tuple[tuple[bytes, bytes], ...]


async def kept_stores(application: Application, numbers: Collection[int]) -> list[Kept]:
    """Of instances that have ended. A state that cannot be trusted is moved aside, and so holds nothing."""
    topology = _topology(application.names)
    found: list[Kept] = []
    for folder in sorted({application.state_dir(number) for number in numbers}):
        for slot in sorted((folder / application.names.application).glob("[0-9]*")):
            found += [each async for each in _slot(topology, folder, slot.name, application.names)]
    return found
