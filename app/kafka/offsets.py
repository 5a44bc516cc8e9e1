"""The offsets of a group that has no members: looked at and set by an administrator."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping

from app.errors import TryAgain
from app.kafka.admin import Admin
from app.kafka.group_requests import OFFSET_COMMIT, STABLE_OFFSET_FETCH
from app.kafka.requests import Answer, Code, Operation
from app.streams.model import Offset, TopicPartition

SETTLED_WITHIN_S = 30.0
"""A transaction of a dead instance ends by itself: after its time-out and up to ten seconds more."""
_NOBODY = (-1, "", -1)
"""Generation, member and retention of one who is no member."""


async def committed_offsets(admin: Admin, group: str, *, stable: bool = True) -> dict[TopicPartition, int]:
    """Everything that a group has committed; `stable`: once no open transaction can change it. Raises ServiceError."""
    found = await committed_with_metadata(admin, group, stable=stable)
    return {place: offset.offset for place, offset in found.items()}


async def committed_with_metadata(admin: Admin, group: str, *, stable: bool = True) -> dict[TopicPartition, Offset]:
    """As `committed_offsets`."""
    until = time.monotonic() + SETTLED_WITHIN_S
    while True:
        answer = await admin.ask_coordinator(group, STABLE_OFFSET_FETCH, group, None, stable, {})
        rows = [(topic["topic"], row) for topic in answer["topics"] for row in topic["partitions"]]
        _check(admin, group, "read", answer, Operation.DESCRIBE)
        open_still = [f"{topic}-{row['partition']}" for topic, row in rows if _unstable(row)]
        if not open_still:
            return {
                TopicPartition(topic, row["partition"]): Offset(row["offset"], row["metadata"] or "")
                for topic, row in rows
                if row["offset"] >= 0
            }
        if time.monotonic() >= until:
            raise TryAgain(
                f"a transaction of a dead instance holds the offsets of {', '.join(open_still)}",
                try_next="Kafka ends it after APP_STREAMS__TRANSACTION_TIMEOUT_MS: try again then",
            )
        await asyncio.sleep(0.2)


async def commit_offsets(admin: Admin, group: str, offsets: Mapping[TopicPartition, int]) -> None:
    """For a group without members: one that has some refuses it. Raises ServiceError."""
    topics: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for (topic, partition), offset in offsets.items():
        topics[topic].append((partition, offset, ""))
    if not topics:
        return
    answer = await admin.ask_coordinator(group, OFFSET_COMMIT, group, *_NOBODY, list(topics.items()))
    for topic in answer["topics"]:
        for row in topic["partitions"]:
            if row["error_code"] == Code.UNKNOWN_MEMBER_ID:
                raise TryAgain(f"group {group} has members", try_next="end them first")
            if row["error_code"] == Code.TOPIC_AUTHORIZATION_FAILED:
                remedy = admin.grant(Operation.READ, f"--topic {topic['name']}")
                admin.check(row, f"the offsets of topic {topic['name']} cannot be set", remedy)
            _check(admin, group, "set", row, Operation.READ)


def _unstable(row: Answer) -> bool:
    return int(row["error_code"]) == Code.UNSTABLE_OFFSET_COMMIT


def _check(admin: Admin, group: str, done: str, answer: Answer, operation: Operation) -> None:
    what = f"the offsets of group {group} cannot be {done}"
    admin.check(answer, what, admin.grant(operation, f"--group {group}"))
