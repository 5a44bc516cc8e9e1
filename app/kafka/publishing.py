"""Numbers to Kafka: whole batches, one under way, until the broker has confirmed them."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from app.errors import BrokerUnavailable
from app.kafka.confirming import confirmed
from app.kafka.failures import describe, fatal
from app.kafka.reopening import Reopening
from app.numbers import encode

log = logging.getLogger(__name__)

LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publisher sends: numbers of `name`, keyed by it, with a header that tells this run from others."""

    name: str
    topic: str
    run_id: bytes


class Publisher:
    """One idempotent producer. It repeats on its own what the network lost; only after an error that leaves it useless
    is it replaced and the batch sent anew, which may then be on the topic twice."""

    def __init__(self, publication: Publication, client: Reopening) -> None:
        self._publication = publication
        self._client = client
        self._limit = 5_000
        self.failures = 0
        self.blocked = ""
        """Why nothing is confirmed, or empty."""

    async def publish(self, numbers: Sequence[int]) -> None:
        """Returns when the broker has confirmed all of them, in order. Raises NoPermission."""
        pause = 0.1
        while numbers:
            part = numbers[: self._limit]
            try:
                await self._send(part)
            except MessageSizeTooLargeError as error:
                await self._replace(error, len(part))
                self._limit = max(1, len(part) // 2)
                if len(part) == 1:
                    self.blocked = f"{self._publication.topic} takes not even one number: raise its max.message.bytes"
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
            except (KafkaError, BrokerUnavailable) as error:
                refused = fatal(error, who=self._publication.name, what=f"write to {self._publication.topic}")
                if refused is not None:
                    raise refused from error
                await self._replace(error, len(part))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                numbers = numbers[len(part) :]
                pause = 0.1

    async def _send(self, numbers: Sequence[int]) -> None:
        producer = await self._client.opened()
        publication = self._publication
        key = publication.name.encode()
        partitions = sorted(await producer.partitions_for(publication.topic))
        partition = DefaultPartitioner()(key, partitions, partitions)
        batch = self._batch(producer, key, numbers)
        future = await producer.send_batch(batch, publication.topic, partition=partition)
        (outcome,) = await confirmed([future], self._slow)
        self.blocked = ""
        if isinstance(outcome, Exception):
            raise outcome

    def _slow(self, seconds: float) -> None:
        self.blocked = f"no number was confirmed for {seconds:.0f} s"

    def _batch(self, producer: AIOKafkaProducer, key: bytes, numbers: Sequence[int]) -> BatchBuilder:
        batch = producer.create_batch()
        now, headers = time.time_ns() // 1_000_000, [("run-id", self._publication.run_id)]
        for number in numbers:
            if (
                batch.append(key=key, value=encode(self._publication.name, number), timestamp=now, headers=headers)
                is None
            ):
                raise MessageSizeTooLargeError("the numbers do not fit into one batch")
        batch.close()
        return batch

    async def _replace(self, error: BaseException, numbers: int) -> None:
        self.failures += 1
        self._client.link.doubt()
        level = logging.WARNING if self._client.started else logging.DEBUG  # while opening, the link speaks for us
        log.log(
            level,
            "%s: %d numbers were not confirmed: %s; sending them anew",
            self._publication.name,
            numbers,
            describe(error),
        )
        await self._client.close()
