"""Digests that stand for the expectations of a scenario whose rows would be too large to keep."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

BLOCK = 10
"""Events behind one digest: small enough to find a fault, large enough to stay small."""


def canonical(event: Mapping[str, Any], by_topic: bool) -> list[Any]:
    """One event's expectations as [rows, log]; rows sorted by topic where their order across topics hangs on a tie."""
    rows = [
        [row["topic"], row["key_hex"], row["value_hex"], row["ts"], row.get("partition"), row.get("headers", [])]
        for row in event.get("expect", [])
    ]
    if by_topic:
        rows.sort(key=lambda row: str(row[0]))
    return [rows, event.get("log", [])]


def block_digests(events: Sequence[Mapping[str, Any]], by_topic: bool = False, block: int = BLOCK) -> list[str]:
    """A digest per block of events that carry `expect` and `log`, as the vectors' format has them."""
    digests = []
    for start in range(0, len(events), block):
        pairs = [canonical(event, by_topic) for event in events[start : start + block]]
        text = json.dumps(pairs, separators=(",", ":"), ensure_ascii=False)
        digests.append(hashlib.sha256(text.encode()).hexdigest()[:16])
    return digests
