"""Statistics as a running service gives them."""

from dataclasses import replace
from typing import Any

from app.statistics import (
    BrokerStatistics,
    ConsumerStatistics,
    PartitionStatistics,
    ProducerStatistics,
    ServiceStatistics,
)

HOSTILE = "<img src=x onerror=alert(1)>&\"'\u202egnp\x1b[31m\r\n"

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
    )
