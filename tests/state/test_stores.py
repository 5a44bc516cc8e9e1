"""The stores of the engine over the disk: a task does the same as over memory, whatever crashes when."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.state import TaskState, open_task_state
from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.model import Commit, Outbound, Row, TaskId
from app.streams.serdes import int64, utf8
from app.streams.stores import Base, memory_base
from app.streams.stores.specs import StoreSpec
from app.streams.task import Task
from app.streams.topology.subtopologies import whole
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import Sessions, Tumbling
from tests.state.places import Clock, expected

_TOPICS = ("in",)


def topology() -> Topology:
    """Key-value, window and session stores."""
    builder = Builder(StreamsConfig(max_task_idle=-1))
    grouped = builder.stream("in", key=utf8, value=utf8).group_by_key()
    grouped.count(Materialized("counts")).to_stream().to("counted", value=int64)
    grouped.windowed_by(Tumbling(10, grace=20)).count(Materialized("windows", retention=60))
    grouped.windowed_by(Sessions(5, grace=20)).count(Materialized("sessions"))
    return builder.build()


@dataclass
class OnDisk:
    """Bases that a crash closes as a kill would."""

    slot: Path
    state: TaskState | None = None

    def __call__(self, spec: StoreSpec) -> Base:
        if self.state is None:
            facts = expected(stores=("counts", "windows", "sessions"), changelogs={})
            self.state = open_task_state(self.slot, facts, Clock())
            assert self.state.aside is None
        return self.state.base(spec)

    def crash(self) -> None:
        if self.state is not None:
            self.state.abandon()
            self.state = None


@dataclass
class InMemory:
    kept: dict[str, Base] = field(default_factory=dict)

    def __call__(self, spec: StoreSpec) -> Base:
        return self.kept.setdefault(spec.name, memory_base(spec))

    def crash(self) -> None:
        """What was applied is still there."""


class Life:
    """A task, the changelogs its commits reached, and its crashes."""

    def __init__(self, bases: OnDisk | InMemory) -> None:
        self.bases = bases
        self.changelogs: dict[str, list[Row]] = {}
        self.offset = 0
        self.sealed: Commit | None = None
        self.task = self._start()

    def _start(self) -> Task:
        built = topology()
        part = whole(built, global_part=False)
        task = Task(built, part, TaskId(0, 0), partitions=lambda _: 1, bases=self.bases)
        task.assign(_TOPICS)
        for name, store in task.stores.items():
            # Only what came after the position that the base knows.
            log = self.changelogs.get(built.changelog(name), [])
            position = store.statistics().position or 0
            missing = [(row.key, row.value, row.timestamp or 0, row.headers) for row in log[position:]]
            task.restore(name, missing, len(log))
        task.start(0)
        return task

    def run(self, records: list[tuple[str, int]]) -> list[Outbound]:
        rows = []
        for key, timestamp in records:
            rows.append((self.offset, timestamp, key.encode(), b"v", ()))
            self.offset += 1
        self.task.enqueue("in", 0, rows)
        self.task.note_fetch("in", 0, self.offset, self.offset)
        return self.task.process(0)

    def commit(self, *, crash: bool) -> tuple[Row, ...]:
        """The changelog holds it; a crash comes before the stores do."""
        commit = self.task.commit()
        for row in commit.changelog:
            self.changelogs.setdefault(row.topic, []).append(row)
        if crash:
            self.crash()
        else:
            changelog = self.task.topology.changelog
            positions = {name: len(self.changelogs.get(changelog(name), [])) for name in self.task.stores}
            self.task.applied(commit, positions)
        return commit.changelog

    def crash(self) -> None:
        self.bases.crash()
        self.task = self._start()

    def contents(self) -> dict[str, Any]:
        found = {name: list(store.committed().all()) for name, store in self.task.stores.items() if name != "sessions"}
        found["sessions"] = [list(self.task.stores["sessions"].committed().fetch(key)) for key in ("", "a", "b" * 600)]
        found["positions"] = [store.statistics() for store in self.task.stores.values()]
        return found


_records = st.lists(st.tuples(st.sampled_from(["", "a", "ab", "b" * 600]), st.integers(0, 200)), max_size=8)
_steps = st.lists(st.tuples(_records, st.sampled_from(["go on", "commit", "crash", "commit and crash"])), max_size=8)


@settings(max_examples=40, deadline=None)
@given(steps=_steps)
def test_a_task_over_the_disk_is_the_task_over_memory(steps: list[tuple[list[tuple[str, int]], str]]) -> None:
    with TemporaryDirectory() as folder, ExitStack() as ends:
        bases = OnDisk(Path(folder))
        ends.callback(bases.crash)
        disk, memory = Life(bases), Life(InMemory())
        for records, then in steps:
            assert disk.run(records) == memory.run(records)
            if then == "crash":
                disk.crash()
                memory.crash()
            elif then != "go on":
                crash = then == "commit and crash"
                assert disk.commit(crash=crash) == memory.commit(crash=crash)
            assert disk.contents() == memory.contents()
