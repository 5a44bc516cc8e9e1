"""A record that cannot be handled: the handlers are asked, dead letters sent, the rest raised (N1-N6)."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from app.streams.config import ErrorContext, Stage, StreamsConfig, fail
from app.streams.context import Context
from app.streams.errors import DeserializationError, ProcessingError, ProductionError, RecordError, TimestampError
from app.streams.model import Forward, Headers, Inbound, Row

if TYPE_CHECKING:
    from app.streams.task.queue import PartitionQueue

PREFIX = "__streams.errors."


class Failures:
    """Of one task."""

    def __init__(self, ctx: Context, config: StreamsConfig) -> None:
        self._ctx = ctx
        self._config = config

    def clock(self, _key: Any, _value: Any, _timestamp: int, _partition_time: int) -> int:
        """What the wall-clock extractor gives: the task's own idea of now."""
        return self._ctx.now

    def undecodable(self, topic: str, queue: PartitionQueue, inbound: Inbound, cause: Exception) -> None:
        """Bytes that the serde of the source refused (N1)."""
        offset, timestamp, raw_key, raw_value, headers = inbound
        error = ErrorContext(
            Stage.DESERIALIZATION,
            topic,
            queue.partition,
            offset,
            headers,
            timestamp,
            queue.node,
            str(self._ctx.task_id),
            raw_key,
            raw_value,
        )
        self._judge(error, cause, self._config.deserialization_handler, DeserializationError)

    def untimed(self, topic: str, queue: PartitionQueue, inbound: Inbound, cause: Exception) -> TimestampError:
        """No handler is asked for these (A2)."""
        origin = origin_of(topic, queue.partition, inbound[0])
        return TimestampError(cause, origin=origin, node=queue.node, task=str(self._ctx.task_id))

    def unprocessable(self, node: str, cause: Exception) -> None:
        """An exception of a node's own code, or of a punctuator (N3)."""
        self._judge(self._here(Stage.PROCESSING, node), cause, self._config.processing_handler, ProcessingError)

    def unproducible(self, node: str, cause: Exception) -> None:
        """A key or value that the serde of a sink refused (N2)."""
        self._judge(self._here(Stage.PRODUCTION, node), cause, self._config.production_handler, ProductionError)

    def guarded(self, node: str, step: Forward) -> Forward:
        """The step, asking the processing handler when it raises; unchanged if the handler fails anyway.

        Exceptions are judged at the innermost node, so siblings and earlier side effects stay (N3).
        """
        return self._guard(node, step, self._config.processing_handler, self.unprocessable)

    def guarded_sink(self, node: str, step: Forward) -> Forward:
        return self._guard(node, step, self._config.production_handler, self.unproducible)

    def _guard(self, node: str, step: Forward, handler: Any, judge: Callable[[str, Exception], None]) -> Forward:
        if handler is fail and self._config.dead_letter_topic is None:
            return step
        ctx = self._ctx

        def run(key: Any, value: Any) -> None:
            timestamp, headers = ctx.timestamp, ctx.headers
            try:
                step(key, value)
            except RecordError:
                raise
            except Exception as cause:  # noqa: BLE001  # user code; the handler judges
                ctx.timestamp, ctx.headers = timestamp, headers
                judge(node, cause)

        return run

    def _here(self, stage: Stage, node: str) -> ErrorContext:
        ctx = self._ctx
        return ErrorContext(
            stage,
            ctx.topic,
            ctx.partition,
            ctx.offset,
            ctx.headers,
            ctx.timestamp,
            node,
            str(ctx.task_id),
            ctx.raw_key,
            ctx.raw_value,
        )

    def _judge(self, error: ErrorContext, cause: Exception, handler: Any, fault: type[RecordError]) -> None:
        verdict = handler(error, cause, self._dead_letters(error, cause))
        for letter in verdict.rows:
            self._ctx.emit(letter)
        self._ctx.dead_letters += len(verdict.rows)
        if not verdict.resume:
            origin = origin_of(error.topic, error.partition, error.offset)
            raise fault(cause, origin=origin, node=error.node, task=error.task) from cause
        self._ctx.dropped()

    def _dead_letters(self, error: ErrorContext, cause: Exception) -> tuple[Row, ...]:
        """Java's record (N4): the source's raw bytes, its headers, then what went wrong."""
        topic = self._config.dead_letter_topic
        if topic is None:
            return ()
        text = "".join(traceback.format_exception(cause))
        reasons: Headers = (
            (PREFIX + "exception", _bytes(_type_name(cause))),
            (PREFIX + "message", _bytes(str(cause))),
            (PREFIX + "stacktrace", _bytes(text)),
            (PREFIX + "topic", _bytes(error.topic)),
            (PREFIX + "partition", _bytes(str(error.partition))),
            (PREFIX + "offset", _bytes(str(error.offset))),
        )
        return (Row(topic, None, error.raw_key, error.raw_value, error.timestamp, error.headers + reasons),)


def node_of(trace: TracebackType | None, nodes: Mapping[int, str]) -> str | None:
    """The node a traceback ended in, found without any cost while all is well.

    `nodes` gives a node's name by the id of its step. Each frame that called a step holds it in a variable; the frame
    below then runs its code. The last such pair is the innermost node.
    """
    found: str | None = None
    while trace is not None and trace.tb_next is not None:
        running = trace.tb_next.tb_frame.f_code
        for variable in trace.tb_frame.f_locals.values():
            if id(variable) in nodes and getattr(variable, "__code__", None) is running:
                found = nodes[id(variable)]
                break
        trace = trace.tb_next
    return found


def origin_of(topic: str | None, partition: int, offset: int) -> str:
    """Without a topic it is the call of a punctuator that failed."""
    return f"record {topic}/{partition}@{offset}" if topic is not None else "a punctuation"


def _type_name(cause: BaseException) -> str:
    return f"{type(cause).__module__}.{type(cause).__qualname__}"


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "replace")
