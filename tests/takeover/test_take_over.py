"""Java and we run one application in turns: nothing is lost, nothing doubled, states are those of a straight run.

Each hand-over happens amid the work: input arrives, the engine that runs is told to stop, the next one goes on from
what was committed. Local state is kept for each engine, so that one that comes back finds its own, outdated.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord

from app.streams.serdes import offset_metadata
from tests.java import KAFKA, NoJavaError, Program, compiled
from tests.takeover.engines import Application, Engine, java, ours
from tests.takeover.expected import Expected, Sent, expected
from tests.takeover.topics import OUTPUTS, PARTITIONS, SIDES, Reader, Topics

KEYS, PORTION = 40, 1_500
BEGIN = time.time_ns() // 1_000_000
"""Event time of the first record, in ms: what is older than two days would be deleted from the changelogs."""
STORE = "KSTREAM-AGGREGATE-STATE-STORE-0000000006"
CHANGELOGS = {
    "counts": "counts-changelog",
    "windows": f"{STORE}-changelog",
    "left": "pairs-this-join-store-changelog",
    "right": "pairs-other-join-store-changelog",
}
INTERNAL = {f"{STORE}-repartition", *CHANGELOGS.values()}
TURNS = {
    "java alone": ("java",),
    "java to java": ("java", "java elsewhere"),
    "java, ours, java": ("java", "ours", "java"),
    "ours, java, ours": ("ours", "java", "ours"),
}


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    try:
        with compiled(Path(__file__).with_name("java"), f"org.apache.kafka:kafka-streams:{KAFKA}") as compilation:
            yield compilation
    except NoJavaError as missing:
        pytest.skip(f"Java is not here: {missing}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("guarantee", ["exactly_once_v2", "at_least_once"])
@pytest.mark.parametrize("turns", TURNS.values(), ids=TURNS)
async def test_one_goes_on_where_the_other_stopped(
    kafka: str, program: Program, tmp_path: Path, turns: tuple[str, ...], guarantee: str
) -> None:
    name = f"takeover-{guarantee[:2]}-{'-'.join(turn[0] for turn in turns)}-{random.randrange(2**32):08x}"
    application = Application(kafka, name, guarantee, tmp_path)
    topics = Topics(kafka, name)
    await topics.make()
    sent = list(records(PORTION * (len(turns) + 1)))
    portions = [sent[at : at + PORTION] for at in range(0, len(sent), PORTION)]
    await topics.send(portions[0])
    arrived: list[Sent] = [*portions[0]]
    async with Reader(kafka, tuple(f"{name}.{output}" for output in OUTPUTS)) as reader:
        for turn, portion in zip(turns, portions[1:], strict=True):
            with started(turn, application, program) as engine:
                # more than its predecessor left over: this engine works
                await reader.until(expected(arrived).total() - PORTION // 2, engine.check)
                await topics.send(portion)
                arrived += portion
                if portion is portions[-1]:
                    await reader.until(expected(arrived).total(), engine.check)
                await asyncio.to_thread(engine.stop)
            await topics.group_is_empty()
            assert await topics.internal() == INTERNAL
        await reader.end()
    model = expected(sent)
    outputs_agree(name, reader.records, model)
    await stores_agree(topics, model)
    await offsets_agree(topics, sent)


def records(count: int) -> Iterator[Sent]:
    """Event time goes on by some ms a record, with some that are late by up to five windows' worth."""
    chance = random.Random(5)
    used: set[tuple[str, str, int]] = set()
    for number in range(count):
        side, key = chance.choice(SIDES), f"key-{chance.randrange(KEYS):02d}"
        timestamp = BEGIN + number * 20 - (chance.randrange(50_000) if chance.random() < 0.1 else 0)
        while (side, key, timestamp) in used:
            timestamp += 1
        used.add((side, key, timestamp))
        yield Sent(side, key, f"{side[0]}{number}", timestamp)


def started(turn: str, application: Application, program: Program) -> AbstractContextManager[Engine]:
    if turn == "ours":
        return ours(application)
    return java(application, program, directory=turn)


def outputs_agree(name: str, found: list[ConsumerRecord], model: Expected) -> None:
    by_topic: dict[str, dict[str, list[bytes]]] = {f"{name}.{output}": defaultdict(list) for output in OUTPUTS}
    for record in found:
        by_topic[record.topic][record.key.decode()].append(record.value)
    for output, totals in (("counts", model.counts), ("windows", model.windows)):
        came = {
            key: [int.from_bytes(value, "big") for value in values]
            for key, values in by_topic[f"{name}.{output}"].items()
        }
        assert came == {key: list(range(1, total + 1)) for key, total in totals.items()}
    pairs = [(key, value.decode()) for key, values in by_topic[f"{name}.pairs"].items() for value in values]
    assert sorted(pairs) == sorted(model.pairs.elements())


async def stores_agree(topics: Topics, model: Expected) -> None:
    """The changelogs, compacted, are the states."""
    for store, rows in (("counts", model.counted), ("windows", model.windowed)):
        log = await topics.read(f"{topics.name}-{CHANGELOGS[store]}")
        assert {record.key: (record.value, record.timestamp) for record in log} == rows
    for side in SIDES:
        log = await topics.read(f"{topics.name}-{CHANGELOGS[side]}")
        # the last four bytes of a key are a number within one life of the task
        found = {(record.key[:-4], record.value) for record in log}
        assert len(log) == len(found)
        assert found == set(model.joinable[side])


async def offsets_agree(topics: Topics, sent: list[Sent]) -> None:
    """All input is committed, each partition with the highest time in it."""
    offsets = {tp: offset for tp, offset in (await topics.committed()).items() if tp.topic != f"{STORE}-repartition"}
    for side in SIDES:
        log = await topics.read(f"{topics.name}.{side}")
        assert len(log) == sum(each.side == side for each in sent)
        for partition in range(PARTITIONS):
            mine = [record for record in log if record.partition == partition]
            committed = next(offset for tp, offset in offsets.items() if tp == (f"{topics.name}.{side}", partition))
            assert committed.offset == mine[-1].offset + 1
            metadata = offset_metadata.decode(committed.metadata)
            assert metadata is not None
            assert metadata.partition_time == max(record.timestamp for record in mine)
