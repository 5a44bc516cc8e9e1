"""Instances of a topology with real tasks in memory: what a worker holds, without Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.streams import Builder, KeyValueSpec, Materialized, Sessions, StreamsConfig, Topology, Tumbling, VersionedSpec
from app.streams.context import Context
from app.streams.hashing import partition_for
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import int64, utf8
from app.streams.stores import Base, memory_base, open_store
from app.streams.stores.specs import StoreSpec
from app.streams.task import Task
from app.streams.topology.subtopologies import subtopologies
from app.worker.held import HeldTask, TaskPhase

PARTITIONS = 4


def counting() -> Topology:
    """Topic `in` counted per key, as a table, in tumbling windows of 10 s and in sessions; topic `facts` as a versioned
    table and `world` as a global one."""
    builder = Builder(StreamsConfig(application_id="app", max_task_idle=-1))
    grouped = builder.stream("in", key=utf8, value=int64).group_by_key()
    grouped.count(Materialized("counts"))
    grouped.windowed_by(Tumbling(10_000)).count(Materialized("windows"))
    grouped.windowed_by(Sessions(5_000)).count(Materialized("sessions"))
    left, right = (builder.stream(topic, key=utf8, value=int64) for topic in ("left", "right"))
    left.left_join(right, lambda a, b: (a, b), _within(), _joined()).filter(lambda _k, _v: False)
    builder.table("facts", key=utf8, value=int64, materialized=Materialized("facts", versioned=1_000_000))
    builder.global_table("world", key=utf8, value=int64, materialized=Materialized("world"))
    return builder.build()
