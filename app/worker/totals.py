"""Counters over all lives of a worker."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from app.kafka.failures import describe
from app.statistics import CommitStatistics

BUCKETS_MS = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0)


class CommitTimes:
    """How long commits took, from the seal to the last applied row, in ms."""

    def __init__(self) -> None:
        self.count = self.failed = 0
        self._last: float | None = None
        self._max = self._sum = 0.0
        self._within = [0] * len(BUCKETS_MS)

    def note(self, took_ms: float) -> None:
        self.count += 1
        self._last = took_ms
        self._max = max(self._max, took_ms)
        self._sum += took_ms
        for number, bound in enumerate(BUCKETS_MS):
            if took_ms <= bound:
                self._within[number] += 1

    def statistics(self) -> CommitStatistics:
        within = tuple(zip(BUCKETS_MS, self._within, strict=True))
        return CommitStatistics(self.count, self.failed, self._last, self._max, self._sum, within)


class Rate:
    """How fast a counter grows: over the last seconds, from the moments at which it was asked."""

    def __init__(self, window_s: float = 5.0) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, count: int) -> float:
        now = time.monotonic()
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window_s:
            self._seen.popleft()
        began, before = self._seen[0]
        return 0.0 if now <= began else (count - before) / (now - began)


@dataclass(slots=True)
class Totals:
    commits: CommitTimes = field(default_factory=CommitTimes)
    processed: int = 0
    produced: int = 0
    """Rows handed to the writers: outputs and changelog."""
    dropped: int = 0
    dead_letters: int = 0
    punctuations: int = 0
    """These three of tasks that are no longer here."""
    rebalances: int = 0
    producers: int = 0
    last_error: str | None = None
    rate: Rate = field(default_factory=Rate)

    def failed(self, error: BaseException) -> None:
        self.commits.failed += 1
        self.last_error = describe(error)
