"""A and B to C through a real Kafka, beside a bare aiokafka loop in the same run; and how late the ticks come.

    scripts/bench roles [--records 200000] [--rounds 3]

Every figure of the service is printed with its ratio to the bare loop, which sends and reads the same records with the
client's batch calls, decodes and prints nothing: what is left to lose.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.broker import embedded
from app.kafka.clients import client_options
from app.kafka.dead_letters import DeadLetters
from app.kafka.link import Link
from app.kafka.opening import group_consumer, idempotent_producer
from app.kafka.publishing import Publication, Publisher
from app.kafka.receiving import Receiver, Subscription
from app.kafka.reopening import reopening
from app.kafka.topics import ensure_topics
from app.loop import run
from app.numbers import encode
from app.output import Output
from app.roles import PUBLISH_LIMIT, Consumer, Producer, Schedule
from app.settings.model import BrokerSettings, ConsumerSettings, KafkaSettings, SettingsTree


def tree(servers: Sequence[str]) -> SettingsTree:
    suffix = uuid.uuid4().hex[:8]
    return SettingsTree(
        kafka=KafkaSettings(bootstrap_servers=tuple(servers), topic=f"bench-{suffix}"),
        c=ConsumerSettings(group_id=f"bench-{suffix}"),
    )


async def through_the_roles(servers: Sequence[str], records: int) -> float:
    """Seconds from the first number of A to the last line of C."""
    settings = tree(servers)
    options = client_options(settings.kafka, servers)
    await ensure_topics(settings, servers)

    async def prepared() -> None: ...

    async def reachable() -> None: ...

    link = Link(servers[0], reachable)
    watch = asyncio.ensure_future(link.watch())
    stop = asyncio.Event()
    output = Output(os.open(os.devnull, os.O_WRONLY))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(reopening(lambda: idempotent_producer(options), prepared, link))
        letters = DeadLetters(settings.dead_letter_topic, client)
        subscription = Subscription(settings.kafka.topic, settings.c.group_id, settings.c.max_records, 5.0)
        receiver = Receiver(
            subscription,
            lambda listener: group_consumer(options, settings.kafka.topic, settings.c, listener),
            prepared,
            link,
        )
        consumer = Consumer(letters.reject, output.show)
        async with asyncio.TaskGroup() as tasks:

            async def consume() -> None:
                async with aclosing(receiver.batches(stop)) as batches:
                    await consumer.run(batches)

            tasks.create_task(consume())
            while not receiver.assigned:  # noqa: ASYNC110  # once, before the clock starts
                await asyncio.sleep(0.01)
            begin = time.perf_counter()
            for name, first in (("A", 0), ("B", 1)):
                sender = await stack.enter_async_context(
                    reopening(lambda: idempotent_producer(options), prepared, link)
                )
                publisher = Publisher(Publication(name, settings.kafka.topic, b"bench"), sender)
                schedule = Schedule(first, 1e-6, records // 2)
                tasks.create_task(Producer(schedule, publisher.publish).run(stop))
            while consumer.printed < records // 2 * 2:  # noqa: ASYNC110  # a figure, not a test
                await asyncio.sleep(0.005)
            took = time.perf_counter() - begin
            stop.set()
    watch.cancel()
    return took


async def bare_loop(servers: Sequence[str], records: int) -> float:
    """The same records with the client alone: two keys, whole batches out, whole fetches in, a commit a fetch."""
    settings = tree(servers)
    options = client_options(settings.kafka, servers)
    await ensure_topics(settings, servers)
    topic = settings.kafka.topic
    consumer = AIOKafkaConsumer(
        topic, **options, group_id=settings.c.group_id, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    begin = time.perf_counter()

    async def send(name: str, first: int, partition: int) -> None:
        producer = idempotent_producer(options)
        await producer.start()
        numbers = range(first, first + records // 2 * 2, 2)
        for at in range(0, len(numbers), PUBLISH_LIMIT):
            batch = producer.create_batch()
            now = time.time_ns() // 1_000_000
            for number in numbers[at : at + PUBLISH_LIMIT]:
                batch.append(
                    key=name.encode(), value=encode(name, number), timestamp=now, headers=[("run-id", b"bench")]
                )
            batch.close()
            await (await producer.send_batch(batch, topic, partition=partition))
        await producer.stop()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send("A", 0, 0))
        tasks.create_task(send("B", 1, 1))
        seen = 0
        while seen < records // 2 * 2:
            fetched = await consumer.getmany(timeout_ms=200, max_records=settings.c.max_records)
            if fetched:
                offsets = {TopicPartition(tp.topic, tp.partition): got[-1].offset + 1 for tp, got in fetched.items()}
                await consumer.commit(offsets)
                seen += sum(len(got) for got in fetched.values())
    took = time.perf_counter() - begin
    await consumer.stop()
    return took


async def tick_errors(rate: int, seconds: float) -> list[float]:
    """Milliseconds by which each tick's publish came after its moment."""
    interval = 1 / rate
    late: list[float] = []
    schedule = Schedule(0, interval, int(rate * seconds))
    begin = time.monotonic()

    async def publish(numbers: Sequence[int]) -> None:
        now = time.monotonic() - begin
        late.extend((now - schedule.at(number // 2)) * 1000 for number in numbers)

    await Producer(schedule, publish).run(asyncio.Event())
    return sorted(late)


async def measure(records: int, rounds: int) -> None:
    for rate in (100, 1_000):
        late = await tick_errors(rate, 5.0)
        print(f"ticks at {rate}/s: late by p50 {late[len(late) // 2]:.2f} ms, p99 {late[int(len(late) * 0.99)]:.2f} ms")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        options = BrokerSettings(data_dir=Path(directory) / "data")
        async with embedded(options, say=lambda line: None) as broker:
            ratios = []
            for number in range(rounds):
                bare = await bare_loop((broker.address,), records)
                roles = await through_the_roles((broker.address,), records)
                ratios.append(bare / roles)
                print(
                    f"round {number + 1}: A and B to C {records / roles:,.0f} records/s, "
                    f"bare aiokafka {records / bare:,.0f} records/s, ratio {bare / roles:.2f}"
                )
            print(f"median ratio to the bare loop: {statistics.median(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench roles", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    run(measure(arguments.records, arguments.rounds))


if __name__ == "__main__":
    main()
