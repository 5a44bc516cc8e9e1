"""The schedule, and the two roles with a publish, a show and a reject of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.numbers import Rejected
from app.roles import LAST_LINES, PUBLISH_LIMIT, Consumer, Producer, Schedule, sort_out

MAX = 2**63 - 1


@dataclass(frozen=True)
class Record:
    value: bytes | None
    offset: int = 0
    topic: str = "numtest1"
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_number_is_due_at_the_start() -> None:
    # 0s  1s  2s
    # 0   2   4
    schedule = Schedule(first=0, interval=1.0)
    assert [schedule.due(elapsed) for elapsed in (0.0, 0.999, 1.0, 1.5, 2.0)] == [1, 1, 2, 2, 3]
    assert list(schedule.numbers(0, 3)) == [0, 2, 4]


@given(
    tick=st.integers(0, 10**9),
    interval=st.floats(1e-6, 86_400, allow_nan=False),
)
def test_a_tick_is_due_at_its_moment_and_not_before(tick: int, interval: float) -> None:
    schedule = Schedule(first=0, interval=interval)
    moment = schedule.at(tick)
    assert schedule.due(moment) >= tick + 1
    assert schedule.at(schedule.due(moment) - 1) <= moment


def test_count_and_int64_end_the_schedule() -> None:
    assert Schedule(first=1, interval=1.0, count=3).due(1e9) == 3
    assert Schedule(first=1, interval=1.0, count=0).length == 0
    schedule = Schedule(first=MAX - 3, interval=1.0)
    assert list(schedule.numbers(0, schedule.length)) == [MAX - 3, MAX - 1]


async def test_after_an_outage_the_due_numbers_follow_at_once_and_in_order() -> None:
    clock, answers = Clock(), asyncio.Event()
    sent: list[int] = []
    seven = asyncio.Event()

    async def publish(numbers: Sequence[int]) -> None:
        await answers.wait()
        sent.extend(numbers)
        if len(sent) == 7:
            seven.set()

    producer = Producer(Schedule(first=0, interval=1.0, count=8), publish, clock=clock)
    running = asyncio.create_task(producer.run(asyncio.Event()))
    await asyncio.sleep(0)
    clock.now += 6.5
    assert (producer.backlog, producer.last) == (7, None)
    answers.set()
    await seven.wait()
    await asyncio.sleep(0)
    assert sent == [0, 2, 4, 6, 8, 10, 12]
    assert (producer.backlog, producer.last, producer.ended) == (0, 12, False)
    clock.now += 0.5
    await running
    assert (sent[-1], producer.last, producer.ended) == (14, 14, True)


async def test_a_backlog_is_published_in_parts() -> None:
    clock = Clock()
    parts: list[int] = []

    async def publish(numbers: Sequence[int]) -> None:
        parts.append(len(numbers))
        clock.now += 1e6

    schedule = Schedule(first=0, interval=1.0, count=2 * PUBLISH_LIMIT + 2)
    await Producer(schedule, publish, clock=clock).run(asyncio.Event())
    assert parts == [1, PUBLISH_LIMIT, PUBLISH_LIMIT, 1]


async def test_stop_ends_the_wait_for_the_next_tick() -> None:
    stop = asyncio.Event()

    async def publish(numbers: Sequence[int]) -> None:
        stop.set()

    producer = Producer(Schedule(first=1, interval=86_400), publish)
    async with asyncio.timeout(30):
        await producer.run(stop)
    assert producer.last == 1


async def batches(*values: Sequence[bytes | None]) -> AsyncIterator[Sequence[Record]]:
    for batch in values:
        yield [Record(value, offset) for offset, value in enumerate(batch)]


async def test_c_rejects_before_it_shows_and_goes_on() -> None:
    log: list[tuple[str, list[str]]] = []

    async def reject(rejected: Sequence[Rejected]) -> None:
        log.append(("rejected", [f"{each.record.offset}:{each.cause.reason}" for each in rejected]))

    async def show(lines: Sequence[str]) -> None:
        log.append(("shown", list(lines)))

    consumer = Consumer(reject, show)
    await consumer.run(batches([b'{"A":2}', None, b"x", b'{"B": 3}'], [b'{"A": 4}']))
    assert log == [
        ("rejected", ["1:null", "2:not_json"]),
        ("shown", ['{"A": 2}', '{"B": 3}']),
        ("shown", ['{"A": 4}']),
    ]
    assert (consumer.printed, dict(consumer.reasons)) == (3, {"null": 1, "not_json": 1})


async def test_nothing_of_a_batch_is_shown_while_it_cannot_be_rejected() -> None:
    shown: list[str] = []

    async def reject(rejected: Sequence[Rejected]) -> None:
        raise OSError("no")

    async def show(lines: Sequence[str]) -> None:
        shown.extend(lines)

    with pytest.raises(OSError, match="no"):
        await Consumer(reject, show).run(batches([b'{"A":2}', None]))
    assert shown == []


async def test_the_last_lines_are_kept() -> None:
    async def nothing(_: Sequence[object]) -> None: ...

    consumer = Consumer(nothing, nothing)
    await consumer.run(batches([b'{"A":%d}' % n for n in range(100)]))
    assert consumer.last == tuple(f'{{"A": {n}}}' for n in range(100 - LAST_LINES, 100))


def test_sort_out_keeps_the_order_on_both_sides() -> None:
    lines, rejected = sort_out([Record(b'{"A":1}', 0), Record(b"", 1), Record(b'{"A":3}', 2), Record(b"[]", 3)])
    assert lines == ['{"A": 1}', '{"A": 3}']
    assert [each.record.offset for each in rejected] == [1, 3]
