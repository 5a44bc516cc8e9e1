"""A task fed as a worker feeds it, timed, and its output checked against the model."""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Iterable
from cProfile import Profile
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec

from app.streams.config import StreamsConfig
from app.streams.model import Inbound, Row, TaskId
from app.streams.stores import memory_base
from app.streams.task import Task
from app.streams.topology.subtopologies import whole
from benchmarks.engine.records import Source, value_of
from benchmarks.engine.scenarios import OUTPUT, Model, Scenario

BATCH: Final = 500
COMMIT: Final = 10_000
# Of every topic; sinks that choose a partition themselves have to hash.
PARTITIONS: Final = 12


class WrongResult(Exception):
    """The engine gave something else than the model."""


@dataclass(slots=True)
class Sum:
    """How many records came, and a checksum over all of them. Their order is free: two topics may have equal times."""

    records: int = 0
    checksum: int = 0

    def add(self, key: bytes | None, value: bytes | None, timestamp: int | None) -> None:
        self.records += 1
        crc = zlib.crc32(value or b"", zlib.crc32(key or b"", (timestamp or 0) & 0xFFFFFFFF))
        self.checksum = (self.checksum + crc) & 0xFFFFFFFFFFFFFFFF


@dataclass(slots=True)
class Costs:
    """CPU seconds of one round."""

    records: int = 0
    engine: float = 0.0
    bare: float = 0.0


class Run:
    """One scenario over so many keys. Records are made in pieces of one commit, outside the time that is measured."""

    def __init__(self, scenario: Scenario, keys: int, *, every_put: bool = False) -> None:
        self.scenario = scenario
        self.source = Source(keys, scenario.topics, scenario.lap)
        topology = scenario.topology(StreamsConfig(log_every_put=every_put))
        part = whole(topology, global_part=False)
        self.task = Task(topology, part, TaskId(0, 0), partitions=lambda _topic: PARTITIONS, bases=memory_base)
        self.task.assign(scenario.topics)
        self.task.start(0)
        self.taken = 0
        self.sent = Sum()
        self.expected = Sum()
        self.changelog_rows = 0
        self._model: Model = scenario.model()

    def stored(self) -> int:
        """Rows in all stores."""
        return sum(store.committed for store in self.task.statistics().stores)

    def fill(self, *, checked: bool = True) -> None:
        """One lap, so that every key is in the stores; not measured. Unchecked, it leaves nothing but stores."""
        self.round(self.source.lap_records, checked=checked)

    def round(self, records: int, profiler: Profile | None = None, *, checked: bool = True) -> Costs:
        """Raises WrongResult unless exactly what the model says came out."""
        costs = Costs(records)
        for begin in range(self.taken, self.taken + records, COMMIT):
            end = min(begin + COMMIT, self.taken + records)
            piece = list(self.source.records(begin, end))
            costs.bare += bare(record[3] or b"" for _, record in piece)
            batches = batched(piece)
            if profiler is not None:
                profiler.enable()
            spent, rows = self.measured(batches)
            if profiler is not None:
                profiler.disable()
            costs.engine += spent
            if checked:
                self.check(piece, rows)
        self.taken += records
        return costs

    def measured(self, batches: list[dict[str, list[Inbound]]]) -> tuple[float, list[Row]]:
        """CPU seconds of one commit's work, and what it sent."""
        task, kept = self.task, []
        began = time.process_time()
        for batch in batches:
            for topic, rows in batch.items():
                task.enqueue(topic, 0, rows)
                position = rows[-1][0] + 1
                task.note_fetch(topic, 0, position, position)
            kept.append(task.process(0, BATCH))
        commit = task.commit()
        task.applied(commit)
        spent = time.process_time() - began
        kept += [list(commit.outputs), list(commit.changelog)]
        return spent, [Row._make(row) for rows in kept for row in rows]

    def check(self, piece: Iterable[tuple[str, Inbound]], rows: Iterable[Row]) -> None:
        for row in rows:
            if row.topic == OUTPUT:
                self.sent.add(row.key, row.value, row.timestamp)
            else:
                self.changelog_rows += 1
        for topic, record in piece:
            for key, value, timestamp in self._model(topic, record):
                self.expected.add(key, value, timestamp)
        if self.sent != self.expected:
            raise WrongResult(f"{self.scenario.title}: {self.sent} instead of {self.expected}")


def batched(piece: list[tuple[str, Inbound]]) -> list[dict[str, list[Inbound]]]:
    """As a fetch brings records: some of each topic."""
    found = []
    rest = deque(piece)
    while rest:
        batch: dict[str, list[Inbound]] = {}
        for topic, record in islice(rest, BATCH):
            batch.setdefault(topic, []).append(record)
        for _ in range(min(BATCH, len(rest))):
            rest.popleft()
        found.append(batch)
    return found


def bare(values: Iterable[bytes]) -> float:
    """CPU seconds to decode and encode these values and do nothing else."""
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    held = list(values)
    began = time.process_time()
    for value in held:
        encode(decode(value))
    return time.process_time() - began


def dictionary(keys: int, records: int) -> float:
    """CPU seconds to read and then replace rows of a dictionary, a commit's worth at a time."""
    source = Source(keys, ("in",), 1)
    rows = {key: value_of(number) for number, key in enumerate(source.keys_of(0, keys))}
    spent = 0.0
    for begin in range(0, records, COMMIT):
        wanted = list(source.keys_of(begin, begin + COMMIT))
        began = time.process_time()
        for key in wanted:
            rows[key]
        for key in wanted:
            rows[key] = b"%d" % begin
        spent += time.process_time() - began
    return spent
