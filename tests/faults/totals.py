"""What the service's own topology has made of the numbers: a total after each of them, once and in order."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from kafka import KafkaConsumer, TopicPartition

from app.pipeline import TOTALS
from tests.faults.lives import Kept, living

WITHIN_S: Final = 90.0
EVERY_S: Final = 0.5

Totals = Mapping[str, Sequence[tuple[int, int]]]
"""Producer's name → (count, sum) in the order of the topic."""


def compare_totals(folder: Path, environment: Mapping[str, str], servers: str, kept: Kept) -> tuple[int, list[str]]:
    """How many there are, and what is wrong with them. `kept`: the numbers. The streams role works on to their end."""
    wanted = sum(map(len, kept.values()))
    found: Totals = {}
    with living(folder, {**environment, "APP_ROLES": "streams"}) as life:
        deadline = time.monotonic() + WITHIN_S
        while sum(map(len, (found := read_totals(servers)).values())) < wanted and time.monotonic() < deadline:
            if life.process.poll() is not None:
                break
            time.sleep(EVERY_S)
    return sum(map(len, found.values())), list(differences(kept, found))


def differences(kept: Kept, found: Totals) -> Iterator[str]:
    for name in sorted(kept.keys() | found.keys()):
        due = list(enumerate(accumulate(kept.get(name, ())), start=1))
        there = list(found.get(name, ()))
        if there != due:
            at = next((n for n, (one, other) in enumerate(zip(there, due, strict=False)) if one != other), None)
            where = "none of them different" if at is None else f"first {there[at]} where {due[at]} is due"
            yield f"{name}: {len(there)} totals of {len(due)}, {where}"


def read_totals(servers: str) -> Totals:
    """Those that were committed."""
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", isolation_level="read_committed")
    totals: dict[str, list[tuple[int, int]]] = defaultdict(list)
    partitions = [TopicPartition(TOTALS, number) for number in consumer.partitions_for_topic(TOTALS) or ()]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for records in consumer.poll(1_000).values():
            for record in records:
                total = json.loads(record.value)
                totals[record.key.decode()].append((total["count"], total["sum"]))
    consumer.close()
    return totals
