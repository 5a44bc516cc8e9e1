"""Rows into record batches, batches to the producer: in the order they were written, partition by partition."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from app.kafka.compat_rows import Append, appender, filled
from app.kafka.outcomes import TransactionFailed, failed
from app.kafka.transport import Transport
from app.streams.errors import StreamsError
from app.streams.hashing import Partitioner
from app.streams.model import Headers, Outbound, Row, TopicPartition, row

WORTH_SENDING = 128 * 1024
"""Bytes from which a batch that is not full goes to a partition that has nothing under way: the size at which a
producer costs least per record. What is under way gives the next batch time to grow beyond it."""

LOOK_EVERY = 256
"""Rows after which the size of a batch is looked at; a power of two."""

MAX_ROW_BYTES = 1024 * 1024
"""max.request.size of Java's producer, by default."""

_NO_HEADERS: list[tuple[str, bytes | None]] = []


class UnknownTopic(StreamsError):
    """Rows are to go to a topic, or a partition of it, that is not there."""

    def __init__(self, topic: str, partition: int | None = None, partitions: int | None = None) -> None:
        where = "does not exist" if partition is None else f"has {partitions} partitions and no number {partition}"
        super().__init__(f"topic {topic} {where}")
        self.topic, self.partition = topic, partition


class RowTooLarge(StreamsError):
    """One row that no request may hold (RecordTooLargeException)."""

    def __init__(self, topic: str, size: int, limit: int) -> None:
        super().__init__(f"a record of {size} bytes for topic {topic} is larger than a request may be: {limit}")
        self.topic, self.size, self.limit = topic, size, limit


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """rows, bytes, batches: what the brokers have confirmed; bytes before compression. waiting: all else."""

    rows: int
    bytes: int
    batches: int
    waiting_rows: int
    waiting_bytes: int
    batches_under_way: int


class _Lane:
    """One partition: a batch that is filled, closed ones that wait, and at most one under way."""

    __slots__ = ("append", "batch", "later", "partition", "pushed", "ready", "route", "rows", "under_way", "waiting")

    def __init__(self, route: _Route, partition: int) -> None:
        self.route, self.partition = route, partition
        self.append: Append = _nothing_fits
        self.batch: BatchBuilder | None = None
        self.rows = 0
        """In `batch`."""
        self.waiting: deque[BatchBuilder] = deque()
        self.later: deque[BatchBuilder] = deque()
        """Written after the cut."""
        self.under_way = False
        self.ready = False
        """In the writer's queue of lanes to send from."""
        self.pushed = False
        """`batch` goes as soon as nothing is under way, whatever its size."""


class _Route(dict[int, _Lane]):
    """The lanes of a topic, made when they are first asked for."""

    __slots__ = ("count", "keyless", "limit", "partitioner", "topic")

    def __init__(self, topic: str, count: int, limit: int | None) -> None:
        super().__init__()
        self.topic = topic
        self.limit = limit
        """Bytes that the topic takes at once; None: not known, or more than ever is sent."""
        self.resize(count)

    def resize(self, count: int) -> None:
        self.count = count
        self.partitioner = Partitioner(count)
        self.keyless = 0
        """Where rows without a key go until that batch is closed (the sticky partitioner of Java's producer)."""

    def closed(self, partition: int) -> None:
        if partition == self.keyless:
            self.keyless = (partition + 1) % self.count

    def __missing__(self, partition: int) -> _Lane:
        if not 0 <= partition < self.count:
            raise UnknownTopic(self.topic, partition, self.count)
        lane = self[partition] = _Lane(self, partition)
        return lane


class _Routes(dict[str, _Route]):
    def __init__(self, partitions: Callable[[str], int | None], limits: Callable[[str], int | None]) -> None:
        super().__init__()
        self._partitions = partitions
        self._limits = limits

    def __missing__(self, topic: str) -> _Route:
        if not (count := self._partitions(topic)):
            raise UnknownTopic(topic)
        route = self[topic] = _Route(topic, count, self._limits(topic))
        return route

    def refresh(self) -> None:
        """Keys go by the partitions that there are now, as in Java after new metadata."""
        for topic, route in self.items():
            if (count := self._partitions(topic)) and count != route.count:
                route.resize(count)


class RowWriter:
    """`write` rows at any time; `run` sends them in the background; for a commit `cut`, `flush`, and after the next
    `begin` of the transport `reopen`.

    A batch goes when it is worth sending, when it is pushed, or at the cut. One batch of a partition is under way and
    the next fills meanwhile: the producer never waits for one partition while another could go.

    refused: takes a row that is too large and gives one in its stead, or None to drop it; without it, RowTooLarge is
    raised. limits: max.message.bytes of a topic, where it may be less than a batch.
    """

    def __init__(
        self,
        transport: Transport,
        partitions: Callable[[str], int | None],
        *,
        refused: Callable[[Row, RowTooLarge], Row | None] | None = None,
        max_row_bytes: int = MAX_ROW_BYTES,
        limits: Callable[[str], int | None] = lambda _topic: None,
    ) -> None:
        self._transport = transport
        self._routes = _Routes(partitions, limits)
        self._refused = refused
        self._max_row_bytes = max_row_bytes
        self._open: dict[_Lane, BatchBuilder] = {}
        """Lanes with rows in their batch."""
        self._ready: deque[_Lane] = deque()
        self._cut = False
        self._handing = 0
        """Calls of `send_batch` that have not returned."""
        self._before_cut = 0
        """Batches that wait and belong to the transaction under way."""
        self._waiters: list[asyncio.Future[None]] = []
        self._failure: TransactionFailed | None = None
        self._closed_rows = self._closed_bytes = self._under_way = 0
        self._sent_rows = self._sent_bytes = self._sent_batches = 0

    def write(self, rows: Iterable[Outbound]) -> None:
        """Takes them all. Raises UnknownTopic, RowTooLarge: the rows before that one are taken."""
        routes, now, last = self._routes, 0, None
        for topic, number, key, value, timestamp, headers in rows:
            if topic is not last:
                route, last = routes[topic], topic
            if number is None:
                number = route.keyless if key is None else route.partitioner[key]
            if timestamp is None:
                timestamp = now = now or time.time_ns() // 1_000_000
            lane = route[number]
            count = lane.rows
            if lane.append(count, timestamp, key, value, list(headers) if headers else _NO_HEADERS) is None:
                self._start(lane, row((topic, number, key, value, timestamp, headers)))
                continue
            lane.rows = count = count + 1
            if not count & (LOOK_EVERY - 1):
                self._offer(lane)

    def unsent(self) -> set[TopicPartition]:
        """Partitions with rows that have not gone."""
        lanes = (lane for route in self._routes.values() for lane in route.values() if lane.rows or lane.waiting)
        return {TopicPartition(lane.route.topic, lane.partition) for lane in lanes}

    def push(self) -> None:
        """No more rows are at hand: what there is need not wait for company. Not for rows after a cut."""
        if not self._cut:
            for lane in self._open:
                lane.pushed = True
                self._offer(lane)

    def cut(self) -> None:
        """All rows so far belong to the transaction that is committed next, later ones to the one after it."""
        if self._cut:
            raise RuntimeError("cut twice without a new transaction between")
        for lane, batch in [*self._open.items()]:
            self._close(lane, batch)
            self._offer(lane)
        self._cut = True

    async def flush(self) -> None:
        """All before the cut has been handed to the transport. Raises TransactionFailed."""
        if not self._cut:
            raise RuntimeError("flush before the cut")
        await self._hand_over()
        while self._before_cut or self._handing:
            await self._news()
            await self._hand_over()

    async def run(self) -> None:
        """Sends until it is cancelled. Raises TransactionFailed."""
        while True:
            await self._hand_over()
            await self._news()

    def reopen(self) -> None:
        """The next transaction has begun: rows after the cut may go."""
        if not self._cut or self._before_cut or self._handing:
            raise RuntimeError("reopen before all up to the cut was sent")
        self._cut = False
        self._routes.refresh()
        for route in self._routes.values():
            for lane in route.values():
                if lane.later:
                    self._before_cut += len(lane.later)
                    lane.waiting, lane.later = lane.later, lane.waiting
                self._offer(lane)

    @property
    def waiting_rows(self) -> int:
        """Written and not confirmed."""
        return self._closed_rows + sum(lane.rows for lane in self._open)

    @property
    def waiting_bytes(self) -> int:
        """Before compression."""
        return self._closed_bytes + sum(int(batch.size()) for batch in self._open.values())

    def statistics(self) -> WriterStatistics:
        return WriterStatistics(
            rows=self._sent_rows,
            bytes=self._sent_bytes,
            batches=self._sent_batches,
            waiting_rows=self.waiting_rows,
            waiting_bytes=self.waiting_bytes,
            batches_under_way=self._under_way,
        )

    def _start(self, lane: _Lane, first: Row) -> None:
        """A new batch, for the one before is full or gone."""
        at_most = lane.route.limit
        batch = self._transport.create_batch(at_most)
        append = appender(batch)
        _, _, key, value, timestamp, headers = first
        append(0, timestamp or 0, key, value, list(headers))
        limit = self._max_row_bytes if at_most is None else min(at_most, self._max_row_bytes)
        if (size := batch.size()) > limit:
            self._refuse(first, RowTooLarge(first.topic, size, limit))
            return
        if lane.batch is not None:
            self._close(lane, lane.batch)
        lane.batch, lane.append, lane.rows = batch, append, 1
        self._open[lane] = batch
        self._offer(lane)

    def _refuse(self, refused: Row, error: RowTooLarge) -> None:
        if self._refused is None:
            raise error
        if (instead := self._refused(refused, error)) is not None:
            self.write((instead,))

    def _close(self, lane: _Lane, batch: BatchBuilder) -> None:
        """Its batch waits to be sent, before the cut or after it."""
        filled(batch, lane.rows)
        self._closed_rows += lane.rows
        self._closed_bytes += batch.size()
        del self._open[lane]
        lane.route.closed(lane.partition)
        lane.batch, lane.append, lane.rows, lane.pushed = None, _nothing_fits, 0, False
        if self._cut:
            lane.later.append(batch)
        else:
            lane.waiting.append(batch)
            self._before_cut += 1

    def _offer(self, lane: _Lane) -> None:
        """Queues the lane if it has something that may go and is worth it. What is queued is never under way."""
        if lane.ready or lane.under_way or not (lane.waiting or self._worth_closing(lane)):
            return
        lane.ready = True
        self._ready.append(lane)
        self._tell()

    def _worth_closing(self, lane: _Lane) -> bool:
        if self._cut or lane.batch is None:
            return False
        return lane.pushed or int(lane.batch.size()) >= WORTH_SENDING

    async def _hand_over(self) -> None:
        if self._failure is not None:
            raise self._failure
        while self._ready:
            lane = self._ready.popleft()
            lane.ready = False
            if not lane.waiting and lane.batch is not None:
                self._close(lane, lane.batch)
            await self._send(lane, lane.waiting.popleft())

    async def _send(self, lane: _Lane, batch: BatchBuilder) -> None:
        self._before_cut -= 1
        self._handing += 1
        self._under_way += 1
        lane.under_way = True
        rows, size = batch.record_count(), batch.size()
        try:
            confirmed = await self._transport.send_batch(batch, lane.route.topic, lane.partition)
        except TransactionFailed as error:
            self._fail(error)
            raise
        finally:
            self._handing -= 1
            self._tell()
        confirmed.add_done_callback(partial(self._settled, lane, rows, size))

    def _settled(self, lane: _Lane, rows: int, size: int, confirmed: asyncio.Future[RecordMetadata]) -> None:
        error = asyncio.CancelledError() if confirmed.cancelled() else confirmed.exception()
        self._under_way -= 1
        if error is not None:
            failure = failed(self._transport.lost or error, end_unanswered=False)
            failure.__cause__ = error
            self._fail(failure)
            return
        self._closed_rows -= rows
        self._closed_bytes -= size
        self._sent_rows += rows
        self._sent_bytes += size
        self._sent_batches += 1
        lane.under_way = False
        self._offer(lane)

    def _fail(self, error: TransactionFailed) -> None:
        self._failure = self._failure or error
        self._tell()

    def _tell(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _news(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter


def _nothing_fits(
    number: int, timestamp: int, key: bytes | None, value: bytes | None, headers: Sequence[Headers] | object
) -> None:
    """Stands for the batch that is not there."""
