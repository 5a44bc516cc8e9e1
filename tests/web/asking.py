"""Two real servers over real tasks, each with a part of the partitions, which ask one another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from app.settings.model import HttpSettings
from app.streams.model import TaskId
from app.web import bind, create_app, serve, url
from app.worker.queries import Queries
from tests.web.samples import WELL
from tests.worker.instances import Instance, Other, counting, feed, key_of, part_of

DEADLINE_S = 10


def app(instance: Instance | None = None, **options: Any) -> httpx.ASGITransport:
    queries = None if instance is None else Queries(instance)
    return httpx.ASGITransport(create_app(lambda: WELL, streams=lambda: queries, **options))


async def ask(instance: Instance | None, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    headers = options.pop("headers", None)
    transport = app(instance, **options)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as client:
        return await client.request(method, path, headers=headers)


@dataclass
class Pair:
    """Partitions 0 and 1 are at `one`, 2 and 3 at `two`; each knows the other's address."""

    one: Instance
    two: Instance
    addresses: Mapping[str, str]
    client: httpx.AsyncClient

    async def get(self, path: str, at: str = "one", **headers: str) -> httpx.Response:
        return await self.client.get(self.addresses[at] + path, headers=headers)


@asynccontextmanager
async def pair(token: str | None = None) -> AsyncIterator[Pair]:
    topology = counting()
    one, two = Instance("one", topology), Instance("two", topology)
    listeners = {name: bind(HttpSettings(port=0), port_was_set=True) for name in ("one", "two")}
    addresses = {name: url(listener).rstrip("/") for name, listener in listeners.items()}
    number = part_of(topology, "counts")
    for instance, partitions in ((one, (0, 1)), (two, (2, 3))):
        for partition in partitions:
            instance.take("facts", partition)
            feed(
                instance.take("counts", partition),
                "in",
                [(key_of(partition, nth), nth, 1_000 * nth) for nth in range(5) for _ in range(partition + 1)],
            )
    others = {
        name: Other(name, addresses[name], tuple(TaskId(number, partition) for partition in partitions))
        for name, partitions in (("one", (0, 1)), ("two", (2, 3)))
    }
    one.others = two.others = others
    async with (
        serve(listeners["one"], lambda: WELL, streams=lambda: Queries(one), token=token),
        serve(listeners["two"], lambda: WELL, streams=lambda: Queries(two), token=token),
        httpx.AsyncClient(timeout=DEADLINE_S) as client,
    ):
        yield Pair(one, two, addresses, client)
