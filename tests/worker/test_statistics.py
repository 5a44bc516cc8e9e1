"""What a worker says of itself, held against what was put in."""

import asyncio
import time
from pathlib import Path

from app.streams import Builder, Materialized, StreamsConfig, Topology, skip
from app.streams.serdes import int64, utf8
from app.worker.processing import BUFFERED_ROWS, SLICE_S
from tests.worker.working import Site, until, working

GOOD, KEYLESS, BROKEN = 20, 3, 2
TIME_MS = 1_700_000_000_000


class Lenient(Site):
    def topology(self) -> Topology:
        letters = self.topic("letters")
        builder = Builder(
            StreamsConfig(application_id=self.name, deserialization_handler=skip, dead_letter_topic=letters)
        )
        self.write(builder, self)
        return builder.build()


def summing(builder: Builder, site: Site) -> None:
    numbers = builder.stream(site.topic("in"), key=utf8, value=int64)
    numbers.group_by_key().count(Materialized("counts")).to_stream().to(site.topic("out"), key=utf8, value=int64)


def test_every_record_is_told_of_once(kafka: str, tmp_path: Path) -> None:
    site = Lenient(kafka, tmp_path, summing, partitions=1)
    site.create("in", "out", "letters")
    number = (7).to_bytes(8, "big")
    records: list[tuple[bytes | None, bytes | None]] = [(b"k%d" % (at % 5), number) for at in range(GOOD)]
    records += [(None, number)] * KEYLESS + [(b"k", b"odd")] * BROKEN

    async def main() -> None:
        worker = site.worker()
        assert worker.statistics().state == "CREATED"
        async with working(worker):
            await site.send("in", records, timestamp_ms=TIME_MS)
            await site.read("out", GOOD)
            await until(lambda: worker.statistics().tasks[0].lag == 0, "the lag is known")
            await until(lambda: worker.totals.commits.count > 0 and worker.statistics().waiting_bytes == 0, "all went")
            found = worker.statistics()
            assert (found.application_id, found.state, found.guarantee) == (site.name, "RUNNING", "exactly_once_v2")
            assert found.instance == worker.self_process != ""
            assert (found.generation >= 1, found.epoch >= 1, found.rebalances >= 1) == (True, True, True)
            assert (found.paused, found.producers, found.last_error, found.peers) == (False, 1, None, ())
            assert (found.processed, found.dead_letters) == (len(records), BROKEN)
            assert found.dropped == KEYLESS + BROKEN
            # What comes out, and as much for the changelog less the keys that one commit changed twice.
            assert GOOD + BROKEN + 5 <= found.produced <= 2 * GOOD + BROKEN
            assert found.records_per_s >= 0
            commits = found.commits
            assert (commits.failed, commits.within_ms[-1][1]) == (0, commits.count)
            assert 0 < (commits.last_ms or 0) <= commits.max_ms <= commits.sum_ms
            [task] = found.tasks
            assert (task.task, task.phase, task.sources) == ("0_0", "running", (f"{site.topic('in')}-0",))
            assert (task.processed, task.dropped, task.buffered) == (len(records), KEYLESS + BROKEN, 0)
            assert task.stream_time_ms == TIME_MS
            [store] = task.stores
            assert (store.name, store.rows, store.dirty) == ("counts", 5, 0)
            assert store.position is not None
            assert store.position >= 5
            assert "counts" in found.topology
        after = worker.statistics()
        assert (after.state, after.tasks) == ("NOT_RUNNING", ())
        assert (after.processed, after.dropped, after.dead_letters) == (len(records), found.dropped, BROKEN)
        again = site.worker()
        async with working(again):
            await until(lambda: again.state == "RUNNING", "it runs")
            assert (again.totals.processed, again.statistics().restore.rows) == (0, 0), "all is there"

    asyncio.run(main())


def slow(builder: Builder, site: Site) -> None:
    """A tenth of a slice for each record."""

    def busy(_key: str, value: str) -> str:
        until_ = time.perf_counter() + SLICE_S / 10
        while time.perf_counter() < until_:
            pass
        return value

    builder.stream(site.topic("in"), key=utf8, value=utf8).map_values(busy).to(site.topic("out"), key=utf8, value=utf8)


def test_no_more_is_fetched_while_much_waits_to_be_processed(kafka: str, tmp_path: Path) -> None:
    site = Site(kafka, tmp_path, slow, partitions=1)
    site.create("in", "out")

    async def main() -> None:
        await site.send("in", [(b"k", b"w")] * 8 * BUFFERED_ROWS)
        worker = site.worker()
        async with working(worker):
            buffered = []
            while worker.totals.processed < BUFFERED_ROWS // 4:
                buffered += [task.buffered for task in worker.statistics().tasks]
                await asyncio.sleep(0.01)
        # The fetch that exceeds it gives whole batches.
        assert BUFFERED_ROWS // 2 < max(buffered) < 4 * BUFFERED_ROWS

    asyncio.run(main())
