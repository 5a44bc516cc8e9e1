"""Statistics as plain JSON values: what `/statistics` serves, and what the page is filled with."""

from datetime import UTC, datetime
from typing import Any, TypeAlias

from app.log.visible import visible
from app.statistics import (
    BrokerStatistics,
    ConsumerStatistics,
    ProducerStatistics,
    ServiceStatistics,
    StreamsStatistics,
    StreamsTaskStatistics,
)

Facts: TypeAlias = dict[str, Any]

_LONGEST_LINE = 240  # characters of a printed record
_LONGEST_TOPOLOGY = 100_000  # characters of a description


def facts(service: ServiceStatistics) -> Facts:
    """Every text in it is safe to show; texts may come from anyone who can write to the topic."""
    return {
        "version": visible(service.version),
        "run_id": visible(service.run_id),
        "uptime_s": round(service.uptime_s, 3),
        "uptime": duration(service.uptime_s),
        "loop_lag_s": round(service.loop_lag_s, 6),
        "loop_lag": f"{service.loop_lag_s * 1000:.1f} ms",
        "roles": [visible(role) for role in service.roles],
        "live": not service.not_live,
        "ready": not service.not_ready,
        "readiness": "ready" if not service.not_ready else "not ready",
        "not_live": [visible(reason) for reason in service.not_live],
        "not_ready": [visible(reason) for reason in service.not_ready],
        "broker": _of_broker(service.broker),
        "producers": [_of_producer(each) for each in service.producers],
        "consumers": [_of_consumer(each) for each in service.consumers],
        # A list, as roles that may not be there are.
        "streams": [] if service.streams is None else [_of_streams(service.streams)],
    }


def _of_broker(broker: BrokerStatistics) -> Facts:
    return {
        "address": visible(broker.address),
        "embedded": broker.embedded,
        "kind": "private Apache Kafka, started for this service" if broker.embedded else "your own Kafka",
        "connected": broker.connected,
        "connection": "connected" if broker.connected else "no answer",
        "log": visible(broker.log) if broker.log else None,
    }


def _of_producer(producer: ProducerStatistics) -> Facts:
    return {
        "name": visible(producer.name),
        "state": producer.state,
        "topic": visible(producer.topic),
        "acknowledged": producer.acknowledged,
        "backlog": producer.backlog,
        "last": producer.last,
        "failures": producer.failures,
    }


def _of_consumer(consumer: ConsumerStatistics) -> Facts:
    lags = [each.lag for each in consumer.partitions if each.lag is not None]
    return {
        "name": visible(consumer.name),
        "state": consumer.state,
        "topic": visible(consumer.topic),
        "group": visible(consumer.group),
        "printed": consumer.printed,
        "lag": sum(lags) if lags else None,
        "commits": consumer.commits,
        "rebalances": consumer.rebalances,
        "dead": sum(consumer.dead_letters.values()),
        "dead_letters": [
            {"reason": visible(reason), "count": count} for reason, count in consumer.dead_letters.items()
        ],
        "partitions": [
            {"topic": visible(each.topic), "partition": each.partition, "position": each.position, "lag": each.lag}
            for each in consumer.partitions
        ],
        "last": [visible(line, _LONGEST_LINE) for line in consumer.last],
    }


def _of_streams(streams: StreamsStatistics) -> Facts:
    commits, restore = streams.commits, streams.restore
    lags = [task.lag for task in streams.tasks if task.lag is not None]
    mean = commits.sum_ms / commits.count if commits.count else None
    return {
        "application_id": visible(streams.application_id),
        "state": streams.state,
        "activity": "paused" if streams.paused else streams.state.lower().replace("_", " "),
        "instance": visible(streams.instance) if streams.instance else None,
        "guarantee": streams.guarantee.replace("_", " "),
        "generation": streams.generation if streams.generation >= 0 else None,
        "epoch": streams.epoch,
        "paused": streams.paused,
        "processed": streams.processed,
        "produced": streams.produced,
        "dropped": streams.dropped,
        "dead": streams.dead_letters,
        "punctuations": streams.punctuations,
        "rate": f"{streams.records_per_s:,.0f}/s",
        "records_per_s": round(streams.records_per_s, 3),
        "lag": sum(lags) if lags else None,
        "commits": commits.count,
        "failed": commits.failed,
        "commit_last": _milliseconds(commits.last_ms),
        "commit_mean": _milliseconds(mean),
        "commit_max": _milliseconds(commits.max_ms if commits.count else None),
        "rebalances": streams.rebalances,
        "restored": restore.rows,
        "restore_remaining": restore.remaining,
        "restore_rate": f"{restore.rows_per_s:,.0f}/s",
        "standby_rows": restore.standby_rows,
        "standby_lag": restore.standby_lag,
        "waiting_bytes": streams.waiting_bytes,
        "peers": [visible(peer) for peer in streams.peers],
        "last_error": [visible(streams.last_error)] if streams.last_error else [],
        "tasks": [_of_task(task) for task in streams.tasks],
        "stores": [
            {
                "name": visible(store.name),
                "kind": store.kind,
                "task": task.task,
                "phase": task.phase,
                "rows": store.rows,
                "dirty": store.dirty,
                "position": store.position,
                "lag": store.lag,
            }
            for task in streams.tasks
            for store in task.stores
        ],
        "topology": [visible(line) for line in streams.topology[:_LONGEST_TOPOLOGY].splitlines()],
    }


def _of_task(task: StreamsTaskStatistics) -> Facts:
    return {
        "task": task.task,
        "phase": task.phase,
        "processed": task.processed,
        "dropped": task.dropped,
        "buffered": task.buffered,
        "lag": task.lag,
        "stream_time_ms": task.stream_time_ms,
        "stream_time": _moment(task.stream_time_ms),
        "sources": ", ".join(visible(source) for source in task.sources),
    }


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else f"{value:,.1f} ms"


def _moment(milliseconds: int) -> str | None:
    """UTC, or the number where no calendar goes."""
    if milliseconds < 0:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)


def duration(seconds: float) -> str:
    """`59 s`, `1 min 5 s`, `2 h 0 min`, `3 d 4 h`: two units at most."""
    whole = int(seconds)
    for size, unit, smaller, lesser in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {lesser}"
    return f"{whole} s"
