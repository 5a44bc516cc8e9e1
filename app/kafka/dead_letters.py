"""Records that C cannot read, kept as they came on a topic of their own, with headers that say why and where from.

The header names are those of Kafka Streams' dead letters (KIP-1034); `.value.sha256` and its kin are ours.
"""

import asyncio
import hashlib
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from app.errors import BrokerUnavailable
from app.kafka.confirming import confirmed
from app.kafka.failures import describe, fatal
from app.kafka.reopening import Reopening
from app.numbers import Rejected

log = logging.getLogger(__name__)

PREFIX = "__streams.errors."
KEPT = 65_536
"""Bytes kept of what is too large for the topic."""
SMALL, SHARED = 16_384, 262_144
"""Bytes: a letter up to the first shares a batch, which grows to the second."""
LONGEST_PAUSE = 5.0

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Letter:
    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def compose(rejected: Rejected) -> Letter:
    """The record as it came, its own headers first."""
    record, cause = rejected.record, rejected.cause
    said = {
        "exception": f"{type(cause).__module__}.{type(cause).__qualname__}",
        "message": str(cause),
        "stacktrace": "".join(traceback.format_exception(cause)),
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "reason": cause.reason,
    }
    headers = [*record.headers, *((PREFIX + name, text.encode()) for name, text in said.items())]
    return Letter(record.partition, record.timestamp, record.key, record.value, headers)


def shrink(letter: Letter) -> Letter:
    """The first 64 KiB of key, of value and of the headers together; of each that is cut its length and digest."""
    cut: Headers = []

    def kept(name: str, data: bytes | None) -> bytes | None:
        if data is None or len(data) <= KEPT:
            return data
        cut.extend(_digest(name, data))
        return data[:KEPT]

    key, value = kept("key", letter.key), kept("value", letter.value)
    own = [header for header in letter.headers if not header[0].startswith(PREFIX)]
    ours = [header for header in letter.headers if header[0].startswith(PREFIX)]
    room, fitting = KEPT, []
    for header in own:
        room -= len(header[0].encode()) + len(header[1] or b"")
        if room < 0:
            everything = b"".join(name.encode() + (data or b"") for name, data in own)
            cut.extend([*_digest("headers", everything), (f"{PREFIX}headers.count", str(len(own)).encode())])
            break
        fitting.append(header)
    return Letter(letter.partition, letter.timestamp, key, value, [*fitting, *ours, *cut])


def _digest(name: str, data: bytes) -> Headers:
    digest = hashlib.sha256(data).hexdigest()
    return [(f"{PREFIX}{name}.length", str(len(data)).encode()), (f"{PREFIX}{name}.sha256", digest.encode())]


class DeadLetters:
    """Writes them, however long it takes: what cannot be written is not to be committed."""

    def __init__(self, topic: str, client: Reopening) -> None:
        self._topic = topic
        self._client = client
        self.blocked = ""
        """Why they cannot be written, or empty."""

    async def reject(self, rejected: Sequence[Rejected]) -> None:
        """Returns when the broker has confirmed all of them. Raises NoPermission."""
        pause = 0.1
        for each in rejected:
            record = each.record
            log.warning(
                "%s-%d at offset %d is unreadable (%s): %s; kept in %s",
                *(record.topic, record.partition, record.offset, each.cause.reason, each.cause, self._topic),
            )
        letters = [compose(each) for each in rejected]
        while letters:
            try:
                letters, error = await self._write(letters)
            except (KafkaError, BrokerUnavailable) as failure:
                error = failure
            if error is None:
                continue
            refused = fatal(error, who="C", what=f"write dead letters to {self._topic}")
            if refused is not None:
                raise refused from error
            self.blocked = f"dead letters cannot be written to {self._topic}: {describe(error)}"
            self._client.link.doubt()
            log.warning("%s; C waits, next attempt in %.2g s", self.blocked, pause)
            await self._client.close()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self.blocked = ""

    async def _write(self, letters: Sequence[Letter]) -> tuple[list[Letter], KafkaError | BrokerUnavailable | None]:
        """What is left to be written, and the error to wait for first. Too large a letter comes back smaller."""
        producer = await self._client.opened()
        partitions = len(await producer.partitions_for(self._topic))
        groups = batches(letters, partitions)
        sent = []
        for group in groups:
            batch = producer.create_batch()
            for letter in group:
                batch.append(key=letter.key, value=letter.value, timestamp=letter.timestamp, headers=letter.headers)
            batch.close()
            sent.append(await producer.send_batch(batch, self._topic, partition=group[0].partition % partitions))
        outcomes = await confirmed(sent, self._slow)
        left: list[Letter] = []
        waiting_for: KafkaError | None = None
        for group, outcome in zip(groups, outcomes, strict=True):
            if isinstance(outcome, MessageSizeTooLargeError):
                smaller = [shrink(letter) for letter in group]
                left.extend(smaller)
                if smaller == group:
                    waiting_for = MessageSizeTooLargeError(f"not even {KEPT} bytes; raise its max.message.bytes")
                else:
                    log.warning("too large for %s: digest and first %d bytes are kept", self._topic, KEPT)
            elif isinstance(outcome, KafkaError):
                left.extend(group)
                waiting_for = outcome
            elif isinstance(outcome, BaseException):
                raise outcome
        if left:
            # A refused batch leaves a gap in the sequence numbers: this producer is of no more use.
            await self._client.close()
        return left, waiting_for

    def _slow(self, seconds: float) -> None:
        if not self.blocked:
            log.warning("dead letters are not confirmed by %s; C waits for them", self._topic)
        self.blocked = f"dead letters are not confirmed by {self._topic} for {seconds:.0f} s"


def batches(letters: Sequence[Letter], partitions: int) -> list[list[Letter]]:
    """Small letters of one partition together, so that no such batch comes near a topic's limit; a large one alone, so
    that its refusal takes no other with it."""
    groups: list[list[Letter]] = []
    filling: dict[int, tuple[list[Letter], int]] = {}
    for letter in letters:
        size, partition = size_of(letter), letter.partition % partitions
        if size > SMALL:
            groups.append([letter])
            filling.pop(partition, None)  # what follows must not overtake it
            continue
        group, used = filling.get(partition, ([], SHARED + 1))
        if used + size > SHARED:
            group, used = [], 0
            groups.append(group)
        group.append(letter)
        filling[partition] = group, used + size
    return groups


def size_of(letter: Letter) -> int:
    headers = sum(len(name) + len(data or b"") + 10 for name, data in letter.headers)
    return len(letter.key or b"") + len(letter.value or b"") + headers + 40
