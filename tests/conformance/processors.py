"""The named processors of the format (FORMAT §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streams.model import FixedKeyRecord, Record
from app.streams.stores.specs import KeyValueSpec
from app.streams.topology.processor import ProcessorContext
from app.streams.topology.runtime import Clock
from tests.conformance.commands import COMMANDS, Commands
from tests.conformance.lambdas import Function, named
from tests.conformance.values import text

AnyRecord = Record[Any, Any] | FixedKeyRecord[Any, Any]


class Named:
    """A processor that forwards what a function of (context, record) makes of each record."""

    def __init__(self, make: Callable[[ProcessorContext, AnyRecord], list[AnyRecord]]) -> None:
        self._make = make

    def init(self, context: ProcessorContext) -> None:
        self._context = context

    def process(self, record: Any, /) -> None:
        for made in self._make(self._context, record):
            self._context.forward(made)


def _metadata(context: ProcessorContext, record: AnyRecord) -> list[AnyRecord]:
    topic, partition, offset = context.record_metadata
    times = f"{record.timestamp}/{context.current_stream_time}/{context.current_system_time}"
    return [record.with_value(f"{text(topic)}/{partition}/{offset}/{times}")]


class Route:
    def __init__(self, even: str, odd: str) -> None:
        self._even, self._odd = even, odd

    def init(self, context: ProcessorContext) -> None:
        self._context = context

    def process(self, record: Any, /) -> None:
        is_even = record.value is not None and record.value % 2 == 0
        self._context.forward(record, self._even if is_even else self._odd)


class WithStore:
    """A processor over one store."""

    def __init__(self, store: str) -> None:
        self._name = store

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._store = context.store(self._name)

    def _timestamped(self) -> bool:
        spec = self._store.spec
        return isinstance(spec, KeyValueSpec) and spec.timestamped

    def _get(self, key: Any) -> Any:
        found = self._store.get(key)
        return found[0] if found is not None and self._timestamped() else found

    def _put(self, key: Any, value: Any, timestamp: int) -> None:
        if self._timestamped():
            self._store.put(key, value, timestamp)
        else:
            self._store.put(key, value)


class CountIn(WithStore):
    def process(self, record: Any, /) -> None:
        if record.key is not None:
            count = (self._get(record.key) or 0) + 1
            self._put(record.key, count, record.timestamp)
            self._context.forward(record.with_value(count))


class Dedup(WithStore):
    def process(self, record: Any, /) -> None:
        if record.key is not None and self._get(record.key) != record.value:
            self._put(record.key, record.value, record.timestamp)
            self._context.forward(record)


class StorePut(WithStore):
    def process(self, record: Any, /) -> None:
        if record.key is not None:
            self._put(record.key, record.value, record.timestamp)


class Lookup(WithStore):
    def process(self, record: Any, /) -> None:
        found = None if record.key is None else self._store.get(record.key)
        shown = text(found)
        if found is not None and self._timestamped():
            shown = f"{text(found[0])}@{found[1]}"
        self._context.forward(record.with_value(f"{text(record.value)}/{shown}"))


class Tick:
    """Counts records; each tick forwards the count."""

    def __init__(self, clock: Clock, interval: int, *, start: int | None = None, once: bool = False) -> None:
        self._clock, self._interval, self._start, self._once = clock, interval, start, once
        self._count = 0

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._schedule = context.schedule(self._interval, self._clock, self._tick, start=self._start)

    def process(self, _record: Any, /) -> None:
        self._count += 1

    def _tick(self, time: int) -> None:
        if self._once:
            self._schedule.cancel()
        self._context.forward(Record("tick", f"{time}:{self._count}", time))
        self._count = 0


class RunCommands(WithStore):
    """Runs each value as a command on the store, and forwards what came of it."""

    def __init__(self, store: str, run: Commands) -> None:
        super().__init__(store)
        self._run = run

    def process(self, record: Any, /) -> None:
        result = self._run(self._store, record.key, record.value, record.timestamp)
        self._context.forward(record.with_value(result))


PROCESSORS: dict[str, Function] = {
    "forward": lambda: lambda: Named(lambda _, record: [record]),
    "twice": lambda: (
        lambda: Named(
            lambda _, record: [record.with_value(text(record.value) + "1"), record.with_value(text(record.value) + "2")]
        )
    ),
    "set_key": lambda x: lambda: Named(lambda _, record: [Record(x, record.value, record.timestamp, record.headers)]),
    "add_header": lambda k, v: (
        lambda: Named(
            lambda _, record: [record.with_headers((*record.headers, (k, None if v is None else v.encode())))]
        )
    ),
    "shift_ts": lambda n: lambda: Named(lambda _, record: [record.with_timestamp(record.timestamp + n)]),
    "metadata": lambda: lambda: Named(_metadata),
    "route": lambda even, odd: lambda: Route(even, odd),
    "count_in": lambda store: lambda: CountIn(store),
    "dedup": lambda store: lambda: Dedup(store),
    "store_put": lambda store: lambda: StorePut(store),
    "lookup": lambda store: lambda: Lookup(store),
    "tick_stream": lambda n: lambda: Tick(Clock.STREAM_TIME, n),
    "tick_wall": lambda n: lambda: Tick(Clock.WALL_CLOCK, n),
    "tick_stream_from": lambda s, n: lambda: Tick(Clock.STREAM_TIME, n, start=s),
    "tick_wall_from": lambda s, n: lambda: Tick(Clock.WALL_CLOCK, n, start=s),
    "tick_once": lambda n: lambda: Tick(Clock.STREAM_TIME, n, once=True),
    "kv_commands": lambda store: lambda: RunCommands(store, COMMANDS["kv"]),
    "window_commands": lambda store: lambda: RunCommands(store, COMMANDS["window"]),
    "session_commands": lambda store: lambda: RunCommands(store, COMMANDS["session"]),
    "versioned_commands": lambda store: lambda: RunCommands(store, COMMANDS["versioned"]),
}


def supplier(given: Any) -> Callable[[], Any]:
    """Makes a new processor for each task."""
    made: Callable[[], Any] = named("processor", PROCESSORS, given)
    return made
