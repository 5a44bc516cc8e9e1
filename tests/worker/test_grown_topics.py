"""Topics that are only written may grow while the topology runs."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient, NewPartitions

from app.streams import Builder
from app.streams.hashing import partition_for
from app.streams.serdes import raw
from tests.worker.working import Site, until, working


@dataclass
class Attentive(Site):
    """Its clients renew their metadata every fifth of a second, in place of every five minutes."""

    @property
    def options(self) -> dict[str, Any]:
        return {**super().options, "metadata_max_age_ms": 200}


def copying(builder: Builder, site: Site) -> None:
    builder.stream(site.topic("in"), key=raw, value=raw).to(site.topic("out"), key=raw, value=raw)


async def test_rows_go_to_partitions_that_were_added(kafka: str, tmp_path: Path) -> None:
    site = Attentive(kafka, tmp_path, copying, settings={"commit_interval_ms": 50})
    site.create("in", "out")
    key = next(key for key in (b"%d" % number for number in range(99)) if partition_for(key, 6) >= 2)
    worker = site.worker()
    async with working(worker):
        await site.send("in", [(key, b"before")])
        assert await site.read("out", 1) == [(key, b"before")]
        with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
            admin.create_partitions({site.topic("out"): NewPartitions(total_count=6)})
        await until(lambda: worker.partitions(site.topic("out")) == 6, "the worker hears of new partitions")
        await site.send("in", [(key, b"first")])  # the writer looks at each transaction's beginning
        assert len(await site.read("out", 2)) == 2
        await site.send("in", [(key, b"then")])
        rows = await site.places("out", 3)
    assert (partition_for(key, 6), key, b"then") in rows
