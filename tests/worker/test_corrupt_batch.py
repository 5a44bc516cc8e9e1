"""A batch that cannot be read stops the task that reads it, there, and no other; it goes on when the batch is whole."""

import asyncio
import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from app.streams import Builder
from app.streams.serdes import utf8
from app.worker.life import BLOCKED_FOR
from tests.brokers import BrokerUnderTest
from tests.worker.working import Site, until, working


def copied(builder: Builder, site: Site) -> None:
    builder.stream(site.topic("in"), key=utf8, value=utf8).to(site.topic("out"), key=utf8, value=utf8)


def test_its_task_waits_the_others_go_on(
    broker_factory: Callable[[], BrokerUnderTest], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = broker_factory()
    site = Site(broker.address, tmp_path, copied)
    site.create("in", "out")
    torn = f"{site.topic('in')}-1"

    def told() -> list[logging.LogRecord]:
        return [record for record in caplog.records if "its task stops there" in record.getMessage()]

    async def main() -> None:
        for number in range(5):  # a batch each
            await site.send("in", [(b"k", b"torn-%d" % number)], partition=1)
        await site.send("in", [(b"k", b"whole")], partition=0)
        await asyncio.to_thread(broker.stop)
        (segment,) = (broker.folder / "data").glob(f"{torn}/*.log")
        intact = segment.read_bytes()
        segment.write_bytes(intact.replace(b"torn-3", b"torn\x003"))
        await asyncio.to_thread(broker.start)
        worker = site.worker()
        async with working(worker):
            rows = await site.read("out", 4)
            assert sorted(value for _, value in rows) == [b"torn-0", b"torn-1", b"torn-2", b"whole"]
            await until(lambda: len(told()) >= 2, "it is tried again")
            await site.send("in", [(b"k", b"later")], partition=0)
            await until(lambda: worker.totals.processed == 5, "the other partition is read meanwhile")
            assert len(worker.held()) == 2
            assert worker.state == "RUNNING"
            lives = worker.totals.producers
            await asyncio.to_thread(broker.stop)
            segment.write_bytes(intact)
            await asyncio.to_thread(broker.start)
            rows = await site.read("out", 7)
        assert sorted(value for _, value in rows) == [b"later", *(b"torn-%d" % number for number in range(5)), b"whole"]
        assert lives == 1

    asyncio.run(main())
    for record in told():
        assert f"{torn} from offset 3: [Error 2] CorruptRecordException: the checksum" in record.getMessage()
    for before, after in pairwise(told()):
        assert after.created - before.created > BLOCKED_FOR / 2, "a line for each attempt, and none between"
