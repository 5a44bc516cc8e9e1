"""Topics that take less at once than the engine would send."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from app.streams import Builder
from app.streams.serdes import raw
from tests.worker.working import Site, working


def copying(builder: Builder, site: Site) -> None:
    builder.stream(site.topic("in"), key=raw, value=raw).to(site.topic("out"), key=raw, value=raw)


@pytest.mark.parametrize("guarantee", ["exactly_once_v2", "at_least_once"])
def test_batches_are_as_small_as_the_topic_asks_for(kafka: str, tmp_path: Path, guarantee: str) -> None:
    async def main() -> None:
        site = Site(kafka, tmp_path, copying, partitions=1)
        site.create("in", "out")
        with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
            small = ConfigResource(ConfigResourceType.TOPIC, site.topic("out"), {"max.message.bytes": "2000"})
            admin.alter_configs([small])
        records: list[tuple[bytes | None, bytes | None]] = [(b"%d" % at, b"x" * 300) for at in range(500)]
        await site.send("in", records)
        async with working(site.worker(guarantee=guarantee, commit_interval_ms=500)):
            assert await site.read("out", 500) == records

    asyncio.run(main())
