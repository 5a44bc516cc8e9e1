"""Statistics → Prometheus text: a pure function, called when scraped."""

from collections.abc import Iterator, Mapping

from prometheus_client import Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.statistics import ConsumerStatistics, ProducerStatistics, ServiceStatistics
from app.web.streams_metrics import of_streams

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# Every label costs the scraper a series for ever. Reasons are few by design; this holds if one is ever not constant.
_MOST_REASONS = 32


def exposition(statistics: ServiceStatistics) -> bytes:
    return generate_latest(_Snapshot(statistics))


class _Snapshot(Collector):
    def __init__(self, statistics: ServiceStatistics) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        yield from _of_service(self._statistics)
        yield from _of_producers(self._statistics.producers)
        yield from _of_consumers(self._statistics.consumers)
        if self._statistics.streams is not None:
            yield from of_streams(self._statistics.streams)


def _of_service(service: ServiceStatistics) -> Iterator[Metric]:
    yield InfoMetricFamily("app_build", "Version of the service.", {"version": service.version})
    yield GaugeMetricFamily("app_live", "1 if /livez says 200.", not service.not_live)
    yield GaugeMetricFamily("app_ready", "1 if /readyz says 200.", not service.not_ready)
    yield GaugeMetricFamily("app_uptime_seconds", "Time since the start.", service.uptime_s)
    yield GaugeMetricFamily(
        "app_event_loop_lag_seconds",
        "How late the event loop woke up, at worst, in the last seconds.",
        service.loop_lag_s,
    )
    yield GaugeMetricFamily("app_broker_connected", "1 if a broker answers.", service.broker.connected)


def _of_producers(producers: tuple[ProducerStatistics, ...]) -> Iterator[Metric]:
    published = CounterMetricFamily(
        "app_messages_published",
        "Sends by outcome: acknowledged by the broker, or failed and repeated.",
        labels=("producer", "topic", "status"),
    )
    backlog = GaugeMetricFamily(
        "app_producer_backlog", "Numbers that are due and not acknowledged.", labels=("producer", "topic")
    )
    for producer in producers:
        published.add_metric((producer.name, producer.topic, "acknowledged"), producer.acknowledged)
        published.add_metric((producer.name, producer.topic, "failed"), producer.failures)
        backlog.add_metric((producer.name, producer.topic), producer.backlog)
    yield from (published, backlog)


def _of_consumers(consumers: tuple[ConsumerStatistics, ...]) -> Iterator[Metric]:
    of_group = ("consumer", "topic", "group")
    received = CounterMetricFamily("app_messages_received", "Records that were read and dealt with.", labels=of_group)
    processed = CounterMetricFamily(
        "app_messages_processed", "Records by outcome: printed, or dead_letter.", labels=(*of_group, "status")
    )
    letters = CounterMetricFamily(
        "app_dead_letters", "Records that could not be read, by reason.", labels=(*of_group, "reason")
    )
    commits = CounterMetricFamily("app_commits", "Offset commits.", labels=of_group)
    rebalances = CounterMetricFamily("app_rebalances", "Assignments received from the group.", labels=of_group)
    assigned = GaugeMetricFamily("app_partitions_assigned", "Partitions of this member.", labels=of_group)
    for consumer in consumers:
        labels = (consumer.name, consumer.topic, consumer.group)
        dead = sum(consumer.dead_letters.values())
        received.add_metric(labels, consumer.printed + dead)
        processed.add_metric((*labels, "printed"), consumer.printed)
        processed.add_metric((*labels, "dead_letter"), dead)
        for reason, count in _bounded(consumer.dead_letters).items():
            letters.add_metric((*labels, reason), count)
        commits.add_metric(labels, consumer.commits)
        rebalances.add_metric(labels, consumer.rebalances)
        assigned.add_metric(labels, len(consumer.partitions))
    yield from (received, processed, letters, commits, rebalances, assigned)
    yield from _of_partitions(consumers)


def _of_partitions(consumers: tuple[ConsumerStatistics, ...]) -> Iterator[Metric]:
    labels = ("consumer", "group", "topic", "partition")
    lag = GaugeMetricFamily("app_consumer_lag", "Records behind the end of the partition.", labels=labels)
    position = GaugeMetricFamily("app_consumer_position", "Offset of the next record to print.", labels=labels)
    for consumer in consumers:
        for each in consumer.partitions:
            values = (consumer.name, consumer.group, each.topic, str(each.partition))
            if each.lag is not None:
                lag.add_metric(values, each.lag)
            if each.position is not None:
                position.add_metric(values, each.position)
    yield from (lag, position)


def _bounded(reasons: Mapping[str, int]) -> dict[str, int]:
    named = dict(list(reasons.items())[:_MOST_REASONS])
    rest = sum(reasons.values()) - sum(named.values())
    return {**named, "other": named.get("other", 0) + rest} if rest else named
