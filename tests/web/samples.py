"""Statistics as a running service gives them."""

from dataclasses import replace
from typing import Any

from app.statistics import (
    BrokerStatistics,
    CommitStatistics,
    ConsumerStatistics,
    PartitionStatistics,
    ProducerStatistics,
    RestoreStatistics,
    ServiceStatistics,
    StreamsStatistics,
    StreamsStoreStatistics,
    StreamsTaskStatistics,
)

HOSTILE = "<img src=x onerror=alert(1)>&\"'\u202egnp\x1b[31m\r\n"

STREAMS = StreamsStatistics(
    application_id="kafka-demo-streams",
    state="REBALANCING",
    instance="0b7c",
    generation=4,
    epoch=9,
    tasks=(
        StreamsTaskStatistics(
            "0_0",
            "running",
            processed=6_543,
            dropped=2,
            buffered=17,
            lag=5,
            stream_time_ms=1_700_000_000_123,
            sources=("numtest1-0",),
            stores=(StreamsStoreStatistics("totals", "timestamped-key-value", 31_415, dirty=3, position=99, lag=0),),
        ),
        StreamsTaskStatistics(
            "0_1", "restoring", stores=(StreamsStoreStatistics("totals", "timestamped-key-value", 10, lag=4_321),)
        ),
    ),
    processed=7_777,
    produced=8_888,
    dropped=2,
    records_per_s=1_234.5,
    punctuations=6,
    dead_letters=1,
    commits=CommitStatistics(10, 1, 12.5, 80.0, 200.0, ((5.0, 2), (100.0, 10))),
    restore=RestoreStatistics(1_000, 4_321, 250_000.0, 12, 3),
    rebalances=3,
    producers=2,
    waiting_bytes=512,
    peers=("http://10.0.0.2:8080",),
    last_error="the broker went away",
    topology="Topologies:\n   Sub-topology: 0",
)

WELL = ServiceStatistics(
    version="1.2.3",
    run_id="3f9a1c07",
    uptime_s=3725.5,
    loop_lag_s=0.0034,
    roles=("a", "b", "c"),
    broker=BrokerStatistics("127.0.0.1:39211", embedded=True, connected=True, log="/var/log/broker.log"),
    producers=(
        ProducerStatistics("A", "running", "numtest1", acknowledged=1234, backlog=2, last=2466, failures=1),
        ProducerStatistics("B", "waiting", "numtest1", acknowledged=0, backlog=0, last=None, failures=0),
    ),
    consumers=(
        ConsumerStatistics(
            name="C",
            state="running",
            topic="numtest1",
            group="numbers",
            printed=1200,
            dead_letters={"not-json": 3, "wrong-shape": 1},
            commits=17,
            rebalances=2,
            partitions=(
                PartitionStatistics("numtest1", 0, position=600, lag=5),
                PartitionStatistics("numtest1", 1, position=None, lag=None),
            ),
            last=('{"A": 2464}', '{"A": 2466}'),
        ),
    ),
    streams=STREAMS,
)


def unwell(**changes: Any) -> ServiceStatistics:
    return replace(WELL, not_live=("a task died",), not_ready=("waiting for Kafka", "nothing assigned"), **changes)


def hostile() -> ServiceStatistics:
    return replace(
        WELL,
        broker=BrokerStatistics(HOSTILE, embedded=False, connected=False, log=HOSTILE),
        not_ready=(HOSTILE,),
        producers=(replace(WELL.producers[0], name=HOSTILE, topic=HOSTILE, last=2**63 - 1),),
        consumers=(
            replace(
                WELL.consumers[0],
                name=HOSTILE,
                topic=HOSTILE,
                group=HOSTILE,
                dead_letters={HOSTILE: 1},
                partitions=(PartitionStatistics(HOSTILE, 0, 1, 1),),
                last=(HOSTILE, "x" * 100_000),
            ),
        ),
        streams=replace(
            STREAMS,
            application_id=HOSTILE,
            instance=HOSTILE,
            tasks=(
                StreamsTaskStatistics(
                    "0_0", "running", sources=(HOSTILE,), stores=(StreamsStoreStatistics(HOSTILE, "window", 1),)
                ),
            ),
            peers=(HOSTILE,),
            last_error=HOSTILE,
            topology=HOSTILE,
        ),
    )
