"""The roles: A and B send numbers on a schedule, C shows every number it receives.

Nothing here knows Kafka: a producer is given a `publish`, a consumer its batches, a `reject` and a `show`.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.numbers import INT64_MAX, Received, Rejected, Unreadable, decode, line

Publish = Callable[[Sequence[int]], Awaitable[None]]
"""Returns when every number is confirmed, in order; repeats what fails, for as long as it takes."""

PUBLISH_LIMIT = 5_000
"""Numbers handed to one `publish` at most: some 400 kB of records."""

LAST_LINES = 20


Reject = Callable[[Sequence[Rejected]], Awaitable[None]]
Show = Callable[[Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The numbers of one producer and when they are due: tick n at `n * interval` seconds after the start."""

    first: int
    interval: float
    count: int | None = None
    step: int = 2

    @property
    def length(self) -> int:
        """Ticks in all: up to `count`, and no number beyond int64."""
        fits = (INT64_MAX - self.first) // self.step + 1
        return fits if self.count is None else min(self.count, fits)

    def due(self, elapsed: float) -> int:
        """How many ticks are due `elapsed` seconds after the start; the first one is due at once."""
        ticks = int(elapsed / self.interval) + 1
        if ticks * self.interval <= elapsed:  # the division rounded down across a tick
            ticks += 1
        return min(ticks, self.length)

    def at(self, tick: int) -> float:
        return tick * self.interval

    def numbers(self, begin: int, end: int) -> range:
        return range(self.first + begin * self.step, self.first + end * self.step, self.step)


class Producer:
    """A timed task: publishes the due numbers in order. What is due and not confirmed is a number, never a queue."""

    def __init__(self, schedule: Schedule, publish: Publish, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._schedule = schedule
        self._publish = publish
        self._clock = clock
        self._start: float | None = None
        self.confirmed = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until the last number or `stop`; a number under way at `stop` is still waited for."""
        self._start = self._clock()
        schedule = self._schedule
        while self.confirmed < schedule.length and not stop.is_set():
            due = schedule.due(self._clock() - self._start)
            if due == self.confirmed:
                await self._sleep_until(self._start + schedule.at(due), stop)
                continue
            end = min(due, self.confirmed + PUBLISH_LIMIT)
            await self._publish(schedule.numbers(self.confirmed, end))
            self.confirmed = end

    async def _sleep_until(self, moment: float, stop: asyncio.Event) -> None:
        delay = moment - self._clock()
        if delay > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await stop.wait()

    @property
    def ended(self) -> bool:
        return self.confirmed >= self._schedule.length

    @property
    def backlog(self) -> int:
        """Numbers that are due and not confirmed."""
        if self._start is None:
            return 0
        return self._schedule.due(self._clock() - self._start) - self.confirmed

    @property
    def last(self) -> int | None:
        """The last confirmed number."""
        return self._schedule.numbers(0, self.confirmed)[-1] if self.confirmed else None


class Consumer:
    """Shows every readable record and rejects the others; a batch counts as done when the body of the loop is."""

    def __init__(self, reject: Reject, show: Show) -> None:
        self._reject = reject
        self._show = show
        self._reasons: Counter[str] = Counter()
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self.printed = 0

    async def run(self, batches: AsyncIterator[Sequence[Received]]) -> None:
        async for batch in batches:
            lines, rejected = sort_out(batch)
            # Rejected first: while that cannot be done nothing of the batch is shown, so a restart shows nothing twice.
            if rejected:
                await self._reject(rejected)
                self._reasons.update(each.cause.reason for each in rejected)
            if lines:
                await self._show(lines)
                self.printed += len(lines)
                self._last.extend(lines[-LAST_LINES:])

    @property
    def reasons(self) -> Mapping[str, int]:
        """Rejected records by reason."""
        return dict(self._reasons)

    @property
    def last(self) -> tuple[str, ...]:
        return tuple(self._last)


def sort_out(batch: Sequence[Received]) -> tuple[list[str], list[Rejected]]:
    """The lines to show and the records to reject, each in the order they came."""
    lines: list[str] = []
    rejected: list[Rejected] = []
    for record in batch:
        try:
            lines.append(line(decode(record.value)))
        except Unreadable as cause:
            rejected.append(Rejected(record, cause))
    return lines, rejected
