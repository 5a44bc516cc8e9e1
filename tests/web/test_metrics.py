"""Statistics → exposition, read back by Prometheus' own parser."""

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.statistics import ServiceStatistics
from app.web.metrics import exposition
from tests.web.samples import HOSTILE, WELL, unwell

C = {"consumer": "C", "topic": "numtest1", "group": "numbers"}


def samples(statistics: ServiceStatistics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition(statistics).decode())
        for sample in family.samples
    }


def value(statistics: ServiceStatistics, name: str, **labels: str) -> float:
    return samples(statistics)[name, frozenset(labels.items())]


def test_the_service() -> None:
    assert value(WELL, "app_build_info", version="1.2.3") == 1
    assert value(WELL, "app_ready") == value(WELL, "app_live") == value(WELL, "app_broker_connected") == 1
    assert value(unwell(), "app_ready") == value(unwell(), "app_live") == 0
    assert value(WELL, "app_event_loop_lag_seconds") == 0.0034
    assert value(WELL, "app_uptime_seconds") == 3725.5


def test_the_producers() -> None:
    a = {"producer": "A", "topic": "numtest1"}
    assert value(WELL, "app_messages_published_total", **a, status="acknowledged") == 1234
    assert value(WELL, "app_messages_published_total", **a, status="failed") == 1
    assert value(WELL, "app_producer_backlog", **a) == 2


def test_the_consumers() -> None:
    assert value(WELL, "app_messages_received_total", **C) == 1204
    assert value(WELL, "app_messages_processed_total", **C, status="printed") == 1200
    assert value(WELL, "app_messages_processed_total", **C, status="dead_letter") == 4
    assert value(WELL, "app_dead_letters_total", **C, reason="not-json") == 3
    assert value(WELL, "app_commits_total", **C) == 17
    assert value(WELL, "app_rebalances_total", **C) == 2
    assert value(WELL, "app_partitions_assigned", **C) == 2


def test_the_stream_engine() -> None:
    for name, expected in {
        "records_processed_total": 7_777,
        "records_produced_total": 8_888,
        "records_dropped_total": 2,
        "dead_letters_total": 1,
        "punctuations_total": 6,
        "process_rate": 1_234.5,
        "transactions_failed_total": 1,
        "commit_latency_seconds_count": 10,
        "commit_latency_seconds_sum": 0.2,
        "commit_latency_max_seconds": 0.08,
        "rebalances_total": 3,
        "producers_opened_total": 2,
        "generation": 4,
        "paused": 0,
        "waiting_bytes": 512,
        "restored_records_total": 1_000,
        "restore_remaining_records": 4_321,
        "restore_rate": 250_000,
        "standby_records_total": 12,
        "standby_lag_records": 3,
    }.items():
        assert value(WELL, f"app_streams_{name}") == pytest.approx(expected), name
    assert value(WELL, "app_streams_state", state="REBALANCING") == 1
    assert value(WELL, "app_streams_state", state="RUNNING") == 0
    assert value(WELL, "app_streams_commit_latency_seconds_bucket", le="0.005") == 2
    assert value(WELL, "app_streams_commit_latency_seconds_bucket", le="+Inf") == 10


def test_its_tasks_and_stores() -> None:
    for phase, count in (("running", 1), ("restoring", 1), ("standby", 0)):
        assert value(WELL, "app_streams_tasks", phase=phase) == count
    assert value(WELL, "app_streams_task_processed_total", task="0_0") == 6_543
    assert value(WELL, "app_streams_task_dropped_total", task="0_0") == 2
    assert value(WELL, "app_streams_task_buffered_records", task="0_0") == 17
    assert value(WELL, "app_streams_task_lag_records", task="0_0") == 5
    assert value(WELL, "app_streams_task_stream_time_seconds", task="0_0") == 1_700_000_000.123
    found = samples(WELL)
    for unknown in ("lag_records", "stream_time_seconds"):
        assert (f"app_streams_task_{unknown}", frozenset({"task": "0_1"}.items())) not in found
    of_store = {"task": "0_1", "store": "totals", "kind": "timestamped-key-value"}
    assert value(WELL, "app_streams_store_rows", **of_store) == 10
    assert value(WELL, "app_streams_store_lag_records", **of_store) == 4_321


def test_without_a_stream_engine_there_are_no_samples_of_it() -> None:
    assert not any(name.startswith("app_streams") for name, _ in samples(replace(WELL, streams=None)))


def test_a_partition_of_unknown_position_has_no_sample() -> None:
    found = samples(WELL)
    assert found["app_consumer_lag", frozenset({**C, "partition": "0"}.items())] == 5
    assert found["app_consumer_position", frozenset({**C, "partition": "0"}.items())] == 600
    assert ("app_consumer_lag", frozenset({**C, "partition": "1"}.items())) not in found


def test_names_and_types_follow_the_conventions() -> None:
    families = list(text_string_to_metric_families(exposition(WELL).decode()))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith("app_")
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")


def test_reasons_cannot_make_the_series_grow() -> None:
    many = {f"reason {n}": 1 for n in range(10_000)}
    statistics = replace(WELL, consumers=(replace(WELL.consumers[0], dead_letters=many),))
    letters = {key: count for key, count in samples(statistics).items() if key[0] == "app_dead_letters_total"}
    assert len(letters) == 33
    assert sum(letters.values()) == 10_000
    assert value(statistics, "app_dead_letters_total", **C, reason="other") == 10_000 - 32


def test_hostile_labels_come_back_as_they_were() -> None:
    statistics = replace(WELL, producers=(replace(WELL.producers[0], topic=HOSTILE),))
    assert value(statistics, "app_producer_backlog", producer="A", topic=HOSTILE) == 2


def test_a_process_without_roles() -> None:
    assert value(replace(WELL, producers=(), consumers=()), "app_ready") == 1
