"""The Processor API (H1-H16): a user's object with `process`, and what it sees of its task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.streams.context import Context
from app.streams.model import FixedKeyRecord, Forward, Headers, Record, RecordMetadata, TaskId
from app.streams.stores.specs import StoreSpec
from app.streams.topology.runtime import Cancellable, Clock, Runtime

K = TypeVar("K")
V = TypeVar("V")


class Processor(Protocol[K, V]):
    """One is made for each task. `init(context)` and `close()` are called if there (H2).

    A supplier (the class, or a function) may have `stores()`, which gives the specs of stores it brings (H13).
    """

    def process(self, record: Record[K, V], /) -> None: ...


class FixedKeyProcessor(Protocol[K, V]):
    """As Processor, for `process_values`: it cannot change the key (B16)."""

    def process(self, record: FixedKeyRecord[K, V], /) -> None: ...


class ProcessorContext:
    """What a processor sees of its task (H4-H12)."""

    def __init__(self, runtime: Runtime, forward: Forward) -> None:
        self._runtime = runtime
        self._ctx = runtime.ctx
        self._forward = forward

    @property
    def task_id(self) -> TaskId:
        return self._ctx.task_id

    @property
    def application_id(self) -> str:
        return self._ctx.application_id

    @property
    def record_metadata(self) -> RecordMetadata:
        """Topic, partition and offset of the record being processed; no topic, -1, -1 in a punctuator (H5)."""
        return RecordMetadata(self._ctx.topic, self._ctx.partition, self._ctx.offset)

    @property
    def current_stream_time(self) -> int:
        return self._ctx.stream_time

    @property
    def current_system_time(self) -> int:
        return self._ctx.now

    def forward(self, record: Record[Any, Any] | FixedKeyRecord[Any, Any], to: str | None = None) -> None:
        """To all children, or to the one named; they have finished when this returns (H4)."""
        if to is None:
            step = self._forward
        elif to in self._runtime.children:
            step = self._runtime.children[to]
        else:
            known = ", ".join(self._runtime.children) or "none"
            raise KeyError(f"node {self._runtime.node} has no child named {to!r}; children: {known}")
        forward_at(self._ctx, step, record.key, record.value, record.timestamp, record.headers)

    def store(self, name: str) -> Any:
        """A connected store, or a global one for reading (H12)."""
        return self._runtime.store(name)

    def schedule(
        self, interval: int, clock: Clock, punctuate: Callable[[int], None], *, start: int | None = None
    ) -> Cancellable:
        """Call `punctuate(time)` every `interval` ms of the clock; from `start` on if given (H7-H9)."""
        if interval < 1:
            raise ValueError(f"the interval of a punctuator must be at least 1 ms, got {interval}")
        if start is not None and start < 0:
            raise ValueError(f"the start of a punctuator cannot be negative, got {start}")
        return self._runtime.parts.schedule(self._runtime.node, clock, start, interval, punctuate)

    def commit(self) -> None:
        """Ask for a commit soon (H6)."""
        self._runtime.parts.request_commit()


def forward_at(ctx: Context, step: Forward, key: Any, value: Any, timestamp: int, headers: Headers) -> None:
    """Forward with another time and other headers, then put the old ones back for the siblings."""
    kept = ctx.timestamp, ctx.headers
    ctx.timestamp, ctx.headers = timestamp, headers
    try:
        step(key, value)
    finally:
        ctx.timestamp, ctx.headers = kept


@dataclass(frozen=True, slots=True)
class Process:
    """Runs a user's processor (Java: KStreamProcessor, ProcessorNode)."""

    supplier: Callable[[], Processor[Any, Any]]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        process = _started(self.supplier, runtime, forward).process
        ctx = runtime.ctx

        def step(key: Any, value: Any) -> None:
            process(Record(key, value, ctx.timestamp, ctx.headers))

        return step


@dataclass(frozen=True, slots=True)
class ProcessValues:
    """Runs a user's fixed-key processor (Java: KStreamFixedKeyProcessor...)."""

    supplier: Callable[[], FixedKeyProcessor[Any, Any]]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        process = _started(self.supplier, runtime, forward).process
        ctx = runtime.ctx

        def step(key: Any, value: Any) -> None:
            process(FixedKeyRecord(key, value, ctx.timestamp, ctx.headers))

        return step


def _started(supplier: Callable[[], Any], runtime: Runtime, forward: Forward) -> Any:
    wrap = runtime.config.wrap_processor
    processor = supplier() if wrap is None else wrap(runtime.node, supplier())
    init, close = getattr(processor, "init", None), getattr(processor, "close", None)
    if init is not None:
        init(ProcessorContext(runtime, forward))
    if close is not None:
        runtime.parts.on_close(close)
    return processor


def provided_stores(supplier: Any) -> Iterable[StoreSpec]:
    """The stores a supplier brings along, if it says so (H13)."""
    provide = getattr(supplier, "stores", None)
    return provide() if callable(provide) else ()
