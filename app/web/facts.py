"""Statistics as plain JSON values: what `/statistics` serves, and what the page is filled with."""

from typing import Any, TypeAlias

from app.log.visible import visible
from app.statistics import BrokerStatistics, ConsumerStatistics, ProducerStatistics, ServiceStatistics

Facts: TypeAlias = dict[str, Any]

_LONGEST_LINE = 240  # characters of a printed record


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


def duration(seconds: float) -> str:
    """`59 s`, `1 min 5 s`, `2 h 0 min`, `3 d 4 h`: two units at most."""
    whole = int(seconds)
    for size, unit, smaller, lesser in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {lesser}"
    return f"{whole} s"
