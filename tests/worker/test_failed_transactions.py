"""Transactions that fail at one step or another: what comes out is exact, and so is what lies in the changelogs."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from app.kafka.failpoints import Step
from app.streams.model import TopicPartition
from app.worker.worker import Worker
from tests.worker.changelogs import Cluster
from tests.worker.lived_in import counting
from tests.worker.working import Site, working

FAILURES = {2: Step.CONFIRMED, 4: Step.END_SENT, 6: Step.OFFSETS_HELD}
"""By number of the transaction."""
AT_ONCE = 5


class Failing:
    """The connection is lost at each of FAILURES; after that it dies when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.failed: list[Step] = []
        self.dies = False

    def __call__(self, step: Step) -> None:
        self.begun += step is Step.BEGUN
        if FAILURES.get(self.begun) is step:
            self.failed.append(step)
            raise KafkaConnectionError(f"lost at {step.name}")
        if self.dies and step is Step.CONFIRMED:
            raise SystemError("a bug")


def test_outputs_and_changelogs_are_exact_whatever_fails(kafka: str, tmp_path: Path) -> None:
    """Half of the records were never committed by who wrote them."""
    site = Site(kafka, tmp_path, lambda builder, here: counting(builder, here.topic("in")), partitions=1)
    site.create("in", "in-out")
    source, failing = TopicPartition(site.topic("in"), 0), Failing()

    async def main() -> None:
        worker, sent = Worker(replace(site.worker().given, failpoint=failing)), 0
        running = asyncio.create_task(worker.run(asyncio.Event()))
        while failing.begun <= max(FAILURES) + 1:
            await Cluster(kafka).transact(source, [(b"k", b"never")] * AT_ONCE, abort=True)
            await site.send("in", [(b"k", b"w")] * AT_ONCE)
            sent += AT_ONCE
            assert counts(await site.read("in-out", sent)) == list(range(1, sent + 1))
        found = worker.statistics()
        assert failing.failed == list(FAILURES.values())
        assert (found.commits.failed, found.producers) == (len(FAILURES), len(FAILURES) + 1)
        assert found.last_error is not None
        assert "OFFSETS_HELD" in found.last_error
        failing.dies = True
        await site.send("in", [(b"k", b"w")])
        with pytest.raises(SystemError):
            async with asyncio.timeout(20):
                await running
        shutil.rmtree(tmp_path / site.name / "0" / "0_0")  # what is left is the changelog
        async with working(site.worker()):
            assert counts(await site.read("in-out", sent + 1)) == list(range(1, sent + 2))

    asyncio.run(main())


def counts(rows: list[tuple[bytes, bytes]]) -> list[int]:
    return [int.from_bytes(value, "big") for _, value in rows]
