"""One worker of the restore benchmark, a process of its own: told by one JSON line on standard input, it says how long
it took and compares every row. It then goes on working until it is killed, or its standard input ends."""

from __future__ import annotations

import asyncio
import cProfile
import json
import pstats
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from app.kafka.clients import target
from app.kafka.internal_topics import ensure_internal_topics
from app.kafka.link import Link
from app.kafka.purging import Purger
from app.log import configure
from app.loop import run
from app.settings.model import KafkaSettings, LogSettings, StreamsSettings
from app.streams import Builder, Materialized, StreamsConfig
from app.streams.serdes import utf8
from app.streams.topology.topology import Topology
from app.worker.stay import Employment
from app.worker.worker import Worker
from benchmarks.race.load import key_of

STORE: Final = "counts"
BEGIN: Final = 1_700_000_000_000
LOOK_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Order:
    """rows: of the changelog, over so many keys."""

    servers: str
    application: str
    state_dir: str
    store: Literal["disk", "memory"]
    rows: int
    keys: int
    partitions: int
    profile: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """rows: that were read. seconds, cpu: from the assignment until every task runs. since: seconds from the start of
    the worker until then."""

    rows: int
    seconds: float
    cpu: float
    since: float

    @property
    def per_second(self) -> float:
        return self.rows / self.seconds


def topology(application: str) -> Topology:
    """Counts by key."""
    builder = Builder(StreamsConfig(application_id=application))
    builder.stream(f"{application}-input", key=utf8, value=utf8).group_by_key().count(Materialized(STORE))
    return builder.build()


def row_of(number: int, keys: int) -> tuple[bytes, int, int]:
    """Key, count and time of a row of the changelog."""
    return key_of(number, keys), number // keys + 1, BEGIN + number


def worker_of(order: Order, link: Link) -> Worker:
    made = topology(order.application)
    where = target(KafkaSettings(), (order.servers,))
    streams = StreamsSettings(application_id=order.application, state_dir=Path(order.state_dir), store=order.store)
    return Worker(
        Employment(
            topology=made,
            settings=streams,
            options=where.options,
            prepare=lambda: ensure_internal_topics(where, made),
            purger=Purger(where, [made.topic_name(name) for name in made.internal]),
            link=link,
        )
    )


async def measured(worker: Worker, tasks: int, profiler: cProfile.Profile | None) -> Restored:
    """Waits until that many tasks run."""
    start = time.perf_counter()
    while worker.stay is None or worker.stay.group is None or worker.stay.group.assigned is None:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)
    begin, began = time.perf_counter(), time.process_time()
    if profiler is not None:
        profiler.enable()
    stay = worker.stay
    while stay.tasks is None or len(stay.tasks.running()) < tasks:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)
    end, spent = time.perf_counter(), time.process_time() - began
    if profiler is not None:
        profiler.disable()
    return Restored(worker.statistics().restore.rows, end - begin, spent, end - start)


def wrong_rows(worker: Worker, order: Order) -> int:
    """Rows that are missing, too many, or not what was written last."""
    last = {key.decode(): (count, at) for key, count, at in (row_of(n, order.keys) for n in range(order.rows))}
    seen: Counter[str] = Counter()
    wrong = 0
    for held in worker.held().values():
        found: Any = held.task.stores[STORE]
        for key, value in found.all():
            wrong += last.get(key) != tuple(value)
            seen[key] += 1
    return wrong + sum(each != 1 for each in seen.values()) + len(last.keys() - seen.keys())


async def main(order: Order) -> None:
    async def reach() -> None:
        return None

    link = Link(order.servers, reach)
    worker, stop = worker_of(order, link), asyncio.Event()
    profiler = cProfile.Profile() if order.profile else None
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(link.watch())
        working = group.create_task(worker.run(stop))
        found = await measured(worker, order.partitions, profiler)
        if profiler is not None:
            pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(30)
        print(json.dumps(asdict(found)), flush=True)
        print(json.dumps({"wrong": wrong_rows(worker, order)}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        stop.set()
        await working
        watching.cancel()


if __name__ == "__main__":
    configure(LogSettings(level="WARNING"))
    run(main(Order(**json.loads(sys.stdin.readline()))))
