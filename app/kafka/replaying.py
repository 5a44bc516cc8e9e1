"""Dead letters go back to where they came from, each once: a letter and the mark that it was sent are one transaction.

The mark is the committed offset of a group of its own, `<topic>-replay`, below which all is sent, with the ranges above
it that are sent besides in its metadata.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, OffsetAndMetadata
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from app.errors import BrokerUnavailable, ConfigError, NoPermission, TryAgain, UsageError
from app.kafka.admin import Admin
from app.kafka.clients import Target
from app.kafka.closing import close
from app.kafka.cluster import missing
from app.kafka.failures import describe, fatal
from app.kafka.faults import printable
from app.kafka.letters import CLOSE_WITHIN_S, DeadLetter
from app.kafka.offsets import committed_with_metadata
from app.kafka.outcomes import FENCING, root_cause
from app.kafka.permissions import grant
from app.kafka.requests import Operation
from app.settings.model import KafkaSettings
from app.streams.hashing import partition_for
from app.streams.model import TopicPartition
from app.streams.topology.names import name_fault

ROOM = 4_000
"""Bytes for the ranges: offset.metadata.max.bytes is 4,096 unless the broker says otherwise."""
TIMEOUT_MS = 60_000
BATCH_BYTES = 16 * 1024
"""That of Java's producers: a topic that takes theirs takes these, whatever its max.message.bytes."""
_RANGE = re.compile(r"(\d{1,19})-(\d{1,19})")


@dataclass(frozen=True, slots=True)
class Sent:
    """Of one partition: all letters below `below`, and those in `ranges` (first and last offset)."""

    below: int = 0
    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, offset: int) -> bool:
        return offset < self.below or any(first <= offset <= last for first, last in self.ranges)

    @property
    def text(self) -> str:
        return ",".join(f"{first}-{last}" for first, last in self.ranges)


def parse_sent(offset: int, text: str) -> Sent:
    """What is not of our making says nothing."""
    found = [_RANGE.fullmatch(part) for part in text.split(",")]
    return Sent(offset, tuple((int(each[1]), int(each[2])) for each in found if each is not None))


def mark(letters: Iterable[tuple[int, bool]], end: int) -> Sent:
    """`letters`: offsets in order, and whether each is sent. `end`: behind the last. What lies between two letters that
    are sent, markers of transactions or letters that can never be sent, does not part them."""
    below, runs, open_run = end, list[tuple[int, int]](), False
    for offset, sent in letters:
        if not sent:
            below, open_run = min(below, offset), False
        elif below < end:
            if open_run:
                runs[-1] = (runs[-1][0], offset)
            else:
                runs.append((offset, offset))
            open_run = True
    return Sent(below, tuple(runs))


@dataclass(slots=True)
class Progress:
    """Of one topic: which letters are sent of those that can be, or could be if their topics were there."""

    ends: Mapping[TopicPartition, int]
    letters: dict[TopicPartition, dict[int, bool]] = field(default_factory=dict)

    def see(self, letter: DeadLetter, *, sent: bool) -> None:
        """In the order of each partition."""
        self.letters.setdefault(letter.place, {})[letter.offset] = sent

    def marks(self, sent: Sequence[DeadLetter]) -> dict[TopicPartition, Sent]:
        """Once these are sent, too, of their partitions. Raises UsageError where that cannot be kept."""
        for letter in sent:
            self.letters[letter.place][letter.offset] = True
        found = {}
        for place in dict.fromkeys(letter.place for letter in sent):
            found[place] = mark(self.letters[place].items(), self.ends[place])
            if len(found[place].text) > ROOM:
                raise UsageError(
                    f"{place.topic}: too many single records were replayed out of order to remember them all",
                    try_next="replay the rest of the topic first, without --source, --reason or a record, and make "
                    "the topics that are not there",
                )
        return found


async def already_sent(admin: Admin, topic: str) -> dict[TopicPartition, Sent]:
    """Raises ServiceError."""
    found = await committed_with_metadata(admin, group_of(topic))
    return {place: parse_sent(offset, text) for place, (offset, text) in found.items() if place.topic == topic}


def group_of(topic: str) -> str:
    return f"{topic}-replay"


def never(letter: DeadLetter) -> str | None:
    """Why it can never be sent."""
    if letter.source is None:
        return "come from no record"
    return "were too large to be kept whole" if letter.cut else None


class Sources:
    """The topics that letters came from, each looked at once."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._refusals: dict[str, str | None] = {}

    async def refusal(self, topic: str) -> str | None:
        """Why nothing can be sent to it now. Raises NoPermission, and what else a cluster may say."""
        if topic not in self._refusals:
            there = await self._there(topic)
            self._refusals[topic] = None if there else f"come from {printable(topic)}, which is not there"
        return self._refusals[topic]

    async def _there(self, topic: str) -> bool:
        if name_fault("topic", topic) is not None:  # whoever wrote the letter
            return False
        state = (await self._admin.describe([topic])).topics[topic]
        if missing(state):
            return False
        self._admin.check_topic(state)
        if state.allows(Operation.WRITE) is False:
            remedy = self._admin.grant(Operation.WRITE, f"--topic {topic}")
            raise NoPermission(f"no permission to write to topic {topic}, where letters came from", try_next=remedy)
        return True


class Replay:
    """One at a time for a topic: whoever begins one ends an earlier one that still runs."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, settings: KafkaSettings) -> None:
        self._producer = producer
        self._topic = topic
        self._settings = settings

    async def send(self, letters: Sequence[DeadLetter], marks: Mapping[TopicPartition, Sent]) -> None:
        """All of them with their marks, or none. Raises ServiceError."""
        try:
            async with self._producer.transaction():
                await asyncio.gather(*await self._send(letters))
                offsets = {
                    ClientPartition(*place): OffsetAndMetadata(sent.below, sent.text) for place, sent in marks.items()
                }
                await self._producer.send_offsets_to_transaction(offsets, group_of(self._topic))
        except (KafkaError, IllegalOperation) as error:
            raise _failure(error, self._topic, self._settings) from error

    async def _where(self, letter: DeadLetter) -> TopicPartition:
        """Where it came from; of fewer partitions that of its key."""
        source = letter.source
        if source is None:
            raise ValueError(f"{letter.name} came from no record")
        count = len(await self._producer.partitions_for(source.topic))
        if source.partition < count:
            return source
        return TopicPartition(source.topic, 0 if letter.key is None else partition_for(letter.key, count))

    async def _send(self, letters: Sequence[DeadLetter]) -> list[Awaitable[object]]:
        """Their confirmations. In batches: `send` refuses a record without key and value."""
        filling: dict[TopicPartition, BatchBuilder] = {}
        confirmations: list[Awaitable[object]] = []
        for letter in letters:
            where = await self._where(letter)
            batch = filling.setdefault(where, self._producer.create_batch())
            if not _append(batch, letter):
                confirmations.append(await self._producer.send_batch(batch, where.topic, partition=where.partition))
                batch = filling[where] = self._producer.create_batch()
                _append(batch, letter)
        for where, batch in filling.items():
            confirmations.append(await self._producer.send_batch(batch, where.topic, partition=where.partition))
        return confirmations


def _append(batch: BatchBuilder, letter: DeadLetter) -> bool:
    """False where it is full; an empty one takes a record of any size."""
    headers, timestamp = list(letter.headers), max(letter.timestamp, 0)
    return batch.append(key=letter.key, value=letter.value, timestamp=timestamp, headers=headers) is not None


@asynccontextmanager
async def open_replay(target: Target, topic: str) -> AsyncIterator[Replay]:
    """Read what is already sent after this: nobody else can send from then on. Raises ServiceError."""
    producer = AIOKafkaProducer(
        **target.options,
        transactional_id=group_of(topic),
        transaction_timeout_ms=TIMEOUT_MS,
        acks="all",
        max_batch_size=BATCH_BYTES,
        max_request_size=2**31 - 1,  # a letter is as large as its topic took it
    )
    try:
        await producer.start()
        yield Replay(producer, topic, target.settings)
    except KafkaError as error:
        raise _failure(error, topic, target.settings) from error
    finally:
        await close(producer.stop(), within=CLOSE_WITHIN_S)


def _failure(error: Exception, topic: str, settings: KafkaSettings) -> Exception:
    what, name, cause = f"replay dead letters of {topic}", group_of(topic), root_cause(error)
    if isinstance(cause, FENCING):
        why = f"another replay of them has begun, or a transaction took longer than {TIMEOUT_MS // 1000} s"
        return TryAgain(f"cannot {what}: {why}", try_next="let that one end; what was sent is not sent again")
    if isinstance(cause, MessageSizeTooLargeError):
        why = f"cannot {what}: one is larger than its topic takes now"
        return ConfigError(why, try_next="raise the max.message.bytes of the topic that it came from")
    if isinstance(cause, TransactionalIdAuthorizationFailed):
        remedy = grant(settings, (Operation.DESCRIBE, Operation.WRITE), f"--transactional-id {name}")
        return NoPermission(f"no permission to {what} in a transaction", try_next=remedy)
    if isinstance(cause, GroupAuthorizationFailedError):
        remedy = grant(settings, (Operation.READ,), f"--group {name}")
        return NoPermission(f"no permission to keep what was sent as offsets of group {name}", try_next=remedy)
    return fatal(error, who="we", what=what) or BrokerUnavailable(f"cannot {what}: {describe(cause)}")
