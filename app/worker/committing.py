"""A commit: what every task has done so far becomes durable in one transaction, while processing goes on above it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.kafka.group_metadata import GroupMetadata
from app.kafka.transport import Transport
from app.kafka.writing import RowWriter
from app.streams.model import Commit, Offset, Row, TopicPartition
from app.streams.task import Task
from app.worker.held import HeldTask
from app.worker.totals import Totals

ROWS_AT_ONCE = 4_000
"""Rows handed to the writer between two turns of the event loop: about 2 ms."""
SLICE_MS = 2.0
"""How long the event loop is held at most while rows are sealed or enter the stores."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one commit carries: each task's share of it, in the order of sealing."""

    shares: tuple[tuple[HeldTask, Commit], ...]
    offsets: Mapping[TopicPartition, Offset]
    tasks: tuple[Task, ...]
    """Whose commits they are: a rebalance that did not wait may have put others in their place."""
    began: float
    """When the sealing did, by the monotonic clock."""


class Committer:
    """One commit at a time: `seal`, then `finish`. Rows written between the two belong to the next one."""

    def __init__(
        self,
        transport: Transport,
        writer: RowWriter,
        totals: Totals,
        note_offsets: Callable[[Mapping[TopicPartition, Offset]], None],
    ) -> None:
        self._transport = transport
        self.writer = writer
        self.totals = totals
        self._note_offsets = note_offsets

    def prepare(self, tasks: Iterable[HeldTask], group: GroupMetadata) -> bool:
        """Shortly before a commit, so that it waits for less. False: there is nothing to commit as yet."""
        wanting = [held for held in tasks if held.task.needs_commit]
        if wanting:
            self._transport.announce(self.writer.unsent().union(*(held.unlogged() for held in wanting)), group)
        return bool(wanting)

    async def seal(self, tasks: Iterable[HeldTask]) -> Sealed | None:
        """Nothing may be processed meanwhile: it yields to the loop. None: there was nothing to commit."""
        began = time.monotonic()
        shares: list[tuple[HeldTask, Commit]] = []
        offsets: dict[TopicPartition, Offset] = {}
        for held in tasks:
            if not held.task.needs_commit:
                continue
            await _in_turns(held.task.sealing())
            commit = held.task.commit()
            self.writer.write(commit.outputs)
            await self._write(commit.changelog)
            self.totals.produced += len(commit.outputs) + len(commit.changelog)
            offsets |= commit.offsets
            shares.append((held, commit))
            await asyncio.sleep(0)
        if not shares:
            return None
        self.writer.cut()
        return Sealed(tuple(shares), offsets, tuple(held.task for held, _ in shares), began)

    async def _write(self, rows: Sequence[Row]) -> None:
        for at in range(0, len(rows), ROWS_AT_ONCE):
            self.writer.write(rows[at : at + ROWS_AT_ONCE])
            await asyncio.sleep(0)

    async def finish(self, sealed: Sealed, group: GroupMetadata) -> None:
        """Outputs, offsets, the end of the transaction, and only then the stores. Raises TransactionFailed."""
        await self.writer.flush()
        ends = await self._transport.commit(sealed.offsets, group)
        # From here on it is decided: whatever ends us now, the rows come back from the changelogs.
        self._transport.begin()
        self.writer.reopen()
        for held, commit in sealed.shares:
            if held.task not in sealed.tasks:
                continue
            for _ in held.task.applying(commit, _positions(held, ends), SLICE_MS):
                await asyncio.sleep(0)
        self._note_offsets(sealed.offsets)
        self.totals.commits.note((time.monotonic() - sealed.began) * 1000)


async def _in_turns(steps: Iterable[None]) -> None:
    """Lets the loop run whenever some steps have taken their time together."""
    until = time.perf_counter() + SLICE_MS / 1000
    for _ in steps:
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + SLICE_MS / 1000


def _positions(held: HeldTask, ends: Mapping[TopicPartition, int]) -> dict[str, int]:
    """How far each store has come in the changelog that this commit wrote; where a source topic is restored from
    instead, the task knows it by its own offsets."""
    return {store: ends[changelog] for store, changelog in held.changelogs.items() if changelog in ends}
