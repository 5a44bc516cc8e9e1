"""The stream engine's statistics as Prometheus families: what Kafka Streams counts, in its words (O5).

A task and a store are labels: there are as many as the topology and its topics make. Keys and topics are none.
"""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily

from app.statistics import (
    CommitStatistics,
    RestoreStatistics,
    StreamsState,
    StreamsStatistics,
    StreamsTaskStatistics,
    TaskPhaseName,
)


def of_streams(streams: StreamsStatistics) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "app_streams",
        "The stream engine of this process.",
        {
            "application_id": streams.application_id,
            "instance": streams.instance,
            "guarantee": streams.guarantee,
        },
    )
    state = GaugeMetricFamily("app_streams_state", "1 for the state it is in.", labels=("state",))
    for name in get_args(StreamsState):
        state.add_metric((name,), name == streams.state)
    yield state
    yield GaugeMetricFamily("app_streams_paused", "1 while processing is paused.", streams.paused)
    yield GaugeMetricFamily("app_streams_generation", "Of the consumer group; -1: no member.", streams.generation)
    yield from _of_work(streams)
    yield from _of_commits(streams.commits)
    yield from _of_restoring(streams.restore)
    yield from _of_tasks(streams.tasks)
    yield from _of_stores(streams.tasks)


def _of_work(streams: StreamsStatistics) -> Iterator[Metric]:
    yield CounterMetricFamily("app_streams_records_processed", "Records taken.", streams.processed)
    yield CounterMetricFamily("app_streams_records_produced", "Outputs and changelog rows written.", streams.produced)
    yield CounterMetricFamily(
        "app_streams_records_dropped", "Records left out: late, without a key, without a time.", streams.dropped
    )
    yield CounterMetricFamily(
        "app_streams_dead_letters", "Records handed to the dead-letter topic.", streams.dead_letters
    )
    yield CounterMetricFamily("app_streams_punctuations", "Punctuators called.", streams.punctuations)
    yield GaugeMetricFamily(
        "app_streams_process_rate", "Records taken a second, in the last seconds.", streams.records_per_s
    )
    yield GaugeMetricFamily(
        "app_streams_waiting_bytes", "Rows written and not handed to a producer yet.", streams.waiting_bytes
    )
    yield CounterMetricFamily("app_streams_rebalances", "Assignments received from the group.", streams.rebalances)
    yield CounterMetricFamily("app_streams_producers_opened", "Producers opened.", streams.producers)


def _of_commits(commits: CommitStatistics) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "app_streams_transactions_failed", "Transactions that failed or ended unknown.", commits.failed
    )
    latency = HistogramMetricFamily(
        "app_streams_commit_latency_seconds", "From the seal of the tasks to their committed state."
    )
    buckets = [(f"{bound / 1000:g}", count) for bound, count in commits.within_ms]
    latency.add_metric((), [*buckets, ("+Inf", commits.count)], commits.sum_ms / 1000)
    yield latency
    yield GaugeMetricFamily(
        "app_streams_commit_latency_max_seconds", "The longest commit since the start.", commits.max_ms / 1000
    )


def _of_restoring(restore: RestoreStatistics) -> Iterator[Metric]:
    yield CounterMetricFamily("app_streams_restored_records", "Changelog records restored.", restore.rows)
    yield GaugeMetricFamily(
        "app_streams_restore_remaining_records", "Changelog records that restoring tasks miss.", restore.remaining
    )
    yield GaugeMetricFamily("app_streams_restore_rate", "Records restored a second.", restore.rows_per_s)
    yield CounterMetricFamily(
        "app_streams_standby_records", "Changelog records that standbys took.", restore.standby_rows
    )
    yield GaugeMetricFamily(
        "app_streams_standby_lag_records", "Changelog records that standbys miss.", restore.standby_lag
    )


def _of_tasks(tasks: tuple[StreamsTaskStatistics, ...]) -> Iterator[Metric]:
    phases = Counter(task.phase for task in tasks)
    held = GaugeMetricFamily("app_streams_tasks", "Tasks held by this process.", labels=("phase",))
    for phase in get_args(TaskPhaseName):
        held.add_metric((phase,), phases[phase])
    processed = CounterMetricFamily("app_streams_task_processed", "Records taken since it came.", labels=("task",))
    dropped = CounterMetricFamily("app_streams_task_dropped", "Records left out since it came.", labels=("task",))
    buffered = GaugeMetricFamily("app_streams_task_buffered_records", "Records fetched, not taken.", labels=("task",))
    lag = GaugeMetricFamily("app_streams_task_lag_records", "Records behind the end of its inputs.", labels=("task",))
    time = GaugeMetricFamily("app_streams_task_stream_time_seconds", "The highest event time seen.", labels=("task",))
    for task in tasks:
        label = (task.task,)
        processed.add_metric(label, task.processed)
        dropped.add_metric(label, task.dropped)
        buffered.add_metric(label, task.buffered)
        if task.lag is not None:
            lag.add_metric(label, task.lag)
        if task.stream_time_ms >= 0:
            time.add_metric(label, task.stream_time_ms / 1000)
    yield from (held, processed, dropped, buffered, lag, time)


def _of_stores(tasks: tuple[StreamsTaskStatistics, ...]) -> Iterator[Metric]:
    labels = ("task", "store", "kind")
    rows = GaugeMetricFamily("app_streams_store_rows", "Committed rows, possibly an estimate.", labels=labels)
    dirty = GaugeMetricFamily("app_streams_store_dirty_rows", "Rows written, not committed.", labels=labels)
    lag = GaugeMetricFamily("app_streams_store_lag_records", "Changelog records missing.", labels=labels)
    for task in tasks:
        for store in task.stores:
            values = (task.task, store.name, store.kind)
            rows.add_metric(values, store.rows)
            dirty.add_metric(values, store.dirty)
            if store.lag is not None:
                lag.add_metric(values, store.lag)
    yield from (rows, dirty, lag)
