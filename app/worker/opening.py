"""A worker from the settings: its topology checked before anything opens, its topics made before it joins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.kafka.clients import Target
from app.kafka.internal_topics import Internal, ensure_internal_topics
from app.kafka.link import Link
from app.kafka.purging import Purger
from app.settings import SettingsTree
from app.streams.topology.topology import Topology
from app.worker.stay import Employment
from app.worker.worker import Worker


def open_worker(
    settings: SettingsTree,
    topology: Topology,
    where: Target,
    prepare: Callable[[], Awaitable[object]],
    link: Link,
    address: str | None,
) -> Worker:
    """`prepare` makes the topics of the other roles, which the topology may read. address: where this process can be
    asked about its stores."""

    async def ready() -> Internal:
        await prepare()
        return await ensure_internal_topics(where, topology)

    return Worker(
        Employment(
            topology=topology,
            settings=settings.streams,
            options=where.options,
            prepare=ready,
            purger=Purger(where, [topology.topic_name(name) for name in topology.internal]),
            link=link,
            address=address,
        )
    )
