"""A member that is stopped while it holds a transaction, beyond its session, and wakes when another has taken over."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.kafka.failpoints import Step
from tests.faults.copying import Part
from tests.kafka.transacting import Scene

RECORDS = 4_000
"""Copied before and around the zombie's sleep, and as many after it."""
PARTITIONS = 4

Lines = list[dict[str, Any]]


@dataclass(frozen=True)
class Trial:
    ended: str
    """What the zombie's transaction came to: the name of the error's cause, or "committed"."""
    doubled: int
    missing: int


@dataclass(frozen=True)
class Copying:
    process: asyncio.subprocess.Process
    output: Path

    def lines(self) -> Lines:
        return [json.loads(line) for line in self.output.read_text().splitlines() if line.startswith("{")]

    async def until(self, what: str, holds: Callable[[Lines], bool], within: float = 60) -> None:
        deadline = time.monotonic() + within
        while not holds(self.lines()):
            text = self.output.read_text()[-3_000:]
            assert time.monotonic() < deadline, f"not within {within} s: {what}\n{text}"
            assert self.process.returncode is None, f"it ended before: {what}\n{text}"
            await asyncio.sleep(0.05)


async def zombie_trial(server: str, folder: Path, stop_at: Step, *, fences: bool) -> Trial:
    """`fences`: the successor fences the dead before it fetches the stable offsets."""
    scene = Scene(server, partitions=PARTITIONS)
    scene.create_topics()
    await fill(scene, 0)
    part = Part(server, scene.name, scene.source, scene.sink, f"{scene.name}-0")
    zombie = replace(part, stop_at=stop_at.name, stop_after=RECORDS // 4)
    successor = replace(part, transactional_id=f"{scene.name}-1", peers=(part.transactional_id,) if fences else ())
    folder.mkdir()
    async with copying(folder / "zombie", zombie) as first:
        await first.until("the zombie stops", lambda lines: said(lines, "stops"))
        async with copying(folder / "successor", successor) as second:
            # Where nobody fences, the successor waits for offsets that the zombie holds: it has to wake first.
            waits = stop_at is Step.OFFSETS_HELD and not fences
            left = 0 if waits else RECORDS - copied(first.lines())
            await second.until(
                "the successor has taken over", lambda lines: said(lines, "assigned") and copied(lines) >= left
            )
            os.kill(first.process.pid, signal.SIGCONT)
            await first.until("the zombie's transaction ends", lambda lines: bool(ending(lines)))
            await fill(scene, RECORDS)
            await scene.until_committed({b"%d" % number for number in range(2 * RECORDS)})
            ended = ending(first.lines())
    copies = Counter(await scene.committed())
    return Trial(ended, sum(copies.values()) - len(copies), 2 * RECORDS - len(copies))


def said(lines: Lines, word: str) -> bool:
    return any(word in line for line in lines)


def copied(lines: Lines) -> int:
    return max((line.get("copied", 0) for line in lines), default=0)


def ending(lines: Lines) -> str:
    """Of the transaction in which it stopped; "": not yet."""
    stopped = next(index for index, line in enumerate(lines) if "stops" in line)
    for line in lines[stopped:]:
        if "copied" in line:
            return "committed"
        if "failed" in line:
            return str(line["cause"])
    return ""


async def fill(scene: Scene, first: int) -> None:
    async with scene.producer(transactional_id=f"{scene.name}-source") as producer:
        producer.begin()
        for partition in range(PARTITIONS):
            values = [b"%d" % number for number in range(first + partition, first + RECORDS, PARTITIONS)]
            await scene.send(producer, values, partition, scene.source)
        await producer.commit({}, None)


@asynccontextmanager
async def copying(output: Path, part: Part) -> AsyncIterator[Copying]:
    """Killed in the end, so that nothing is settled by an orderly leave."""
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.copying", json.dumps(asdict(part)), stdout=file, stderr=file
        )
    try:
        yield Copying(process, output)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
