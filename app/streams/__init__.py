"""Kafka Streams for Python: a topology is data, a task decides, nothing waits. No event loop, no clock, no client.

What a topology is written with. Serdes are in `app.streams.serdes`, the test driver in `app.streams.testing`.
"""

from app.streams.config import (
    ALL_OPTIMIZATIONS,
    ErrorContext,
    ErrorHandler,
    Extractor,
    Optimization,
    Stage,
    StreamsConfig,
    Verdict,
    fail,
    record_time,
    record_time_or_partition_time,
    record_time_or_skip,
    skip,
    wall_clock,
)
from app.streams.dsl.builder import Builder
from app.streams.dsl.cogrouped import CogroupedStream, SessionWindowedCogroupedStream, WindowedCogroupedStream
from app.streams.dsl.global_table import GlobalTable
from app.streams.dsl.grouped import GroupedStream
from app.streams.dsl.grouped_table import GroupedTable
from app.streams.dsl.options import Joined, Materialized, StreamJoined, WithKey
from app.streams.dsl.stream import Branch, Stream
from app.streams.dsl.suppressing import Buffer, UntilTimeLimit, UntilWindowCloses, WhenFull
from app.streams.dsl.table import Table
from app.streams.dsl.windowed import SessionWindowedStream, WindowedStream
from app.streams.durations import days, hours, minutes, seconds
from app.streams.errors import (
    BufferFull,
    DeserializationError,
    InvalidTimestamp,
    ProcessingError,
    ProductionError,
    RecordError,
    StoreRefused,
    StreamsError,
    TimestampError,
    TopologyError,
)
from app.streams.model import FixedKeyRecord, Headers, Record, RecordMetadata, Row, TaskId, Windowed
from app.streams.stores.specs import KeyValueSpec, LruSpec, SessionSpec, StoreSpec, VersionedSpec, WindowSpec
from app.streams.topology.description import describe
from app.streams.topology.nodes import Reset, SourceNode
from app.streams.topology.processor import FixedKeyProcessor, Processor, ProcessorContext
from app.streams.topology.runtime import Cancellable, Clock
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import Emit, Hopping, JoinWindows, Sessions, Sliding, Tumbling, Unlimited

__all__ = [
    "ALL_OPTIMIZATIONS",
    "Branch",
    "Buffer",
    "BufferFull",
    "Builder",
    "Cancellable",
    "Clock",
    "CogroupedStream",
    "DeserializationError",
    "Emit",
    "ErrorContext",
    "ErrorHandler",
    "Extractor",
    "FixedKeyProcessor",
    "FixedKeyRecord",
    "GlobalTable",
    "GroupedStream",
    "GroupedTable",
    "Headers",
    "Hopping",
    "InvalidTimestamp",
    "JoinWindows",
    "Joined",
    "KeyValueSpec",
    "LruSpec",
    "Materialized",
    "Optimization",
    "ProcessingError",
    "Processor",
    "ProcessorContext",
    "ProductionError",
    "Record",
    "RecordError",
    "RecordMetadata",
    "Reset",
    "Row",
    "SessionSpec",
    "SessionWindowedCogroupedStream",
    "SessionWindowedStream",
    "Sessions",
    "Sliding",
    "SourceNode",
    "Stage",
    "StoreRefused",
    "StoreSpec",
    "Stream",
    "StreamJoined",
    "StreamsConfig",
    "StreamsError",
    "Table",
    "TaskId",
    "TimestampError",
    "Topology",
    "TopologyError",
    "Tumbling",
    "Unlimited",
    "UntilTimeLimit",
    "UntilWindowCloses",
    "Verdict",
    "VersionedSpec",
    "WhenFull",
    "WindowSpec",
    "Windowed",
    "WindowedCogroupedStream",
    "WindowedStream",
    "WithKey",
    "days",
    "describe",
    "fail",
    "hours",
    "minutes",
    "record_time",
    "record_time_or_partition_time",
    "record_time_or_skip",
    "seconds",
    "skip",
    "wall_clock",
]
