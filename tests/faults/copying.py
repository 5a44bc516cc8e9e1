"""A member that copies records from one topic to another exactly once: as small as an exactly-once worker can be.

`python -m tests.faults.copying JSON` with the fields of `Part`. It says what it does, a line of JSON each.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, OffsetAndMetadata, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from app.kafka.clients import client_options
from app.kafka.compat import group_metadata
from app.kafka.failpoints import Step
from app.kafka.fencing import fence
from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import TransactionFailed
from app.kafka.stable_offsets import stable_offsets
from app.kafka.transactions import TransactionalProducer, TransactionOptions, transactional_producer
from app.settings.model import KafkaSettings

TIMEOUT_MS = 30_000
LARGEST = 100


@dataclass(frozen=True)
class Part:
    server: str
    group: str
    source: str
    sink: str
    transactional_id: str
    peers: tuple[str, ...] = ()
    """Transactional ids to fence when no member of the group claims them."""
    stop_at: str | None = None
    """Step of a transaction in which the process stops itself with SIGSTOP, once …"""
    stop_after: int = 0
    """… it has committed so many records."""


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


class Claims:
    """A range assignor; each member tells its transactional id, and each is told all of them."""

    name = "range"

    def __init__(self, copier: "Copier") -> None:
        self._copier = copier

    def metadata(self, topics: set[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(0, list(topics), self._copier.part.transactional_id.encode())

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        claimed = json.dumps([metadata.user_data.decode() for metadata in members.values()]).encode()
        assigned = RangePartitionAssignor.assign(cluster, members)
        return {
            member: ConsumerProtocolMemberAssignment(0, plan.assignment, claimed) for member, plan in assigned.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        self._copier.taken_over(json.loads(assignment.user_data))


class Copier:
    def __init__(self, part: Part) -> None:
        self.part = part
        self.options = client_options(KafkaSettings(), (part.server,))
        self.consumer = AIOKafkaConsumer(
            part.source,
            **self.options,
            group_id=part.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=6_000,
            heartbeat_interval_ms=300,
            fetch_max_wait_ms=50,
            partition_assignment_strategy=(Claims(self),),
        )
        self.epoch = 0
        self.group: GroupMetadata | None = None
        self.claimed: list[str] = []
        self.copied = 0

    def taken_over(self, claimed: list[str]) -> None:
        self.epoch += 1
        self.group = group_metadata(self.consumer)
        self.claimed = claimed

    def reached(self, step: Step) -> None:
        if step.name == self.part.stop_at and self.copied >= self.part.stop_after:
            self.part = replace(self.part, stop_at=None)
            say(stops=step.name)
            os.kill(os.getpid(), signal.SIGSTOP)

    async def run(self) -> None:
        await self.consumer.start()
        while True:
            transaction = TransactionOptions(self.part.transactional_id, TIMEOUT_MS, failpoint=self.reached)
            try:
                async with transactional_producer(self.options, transaction) as producer:
                    await self._copy(producer)
            except TransactionFailed as error:
                say(failed=type(error).__name__, cause=type(error.__cause__).__name__)

    async def _copy(self, producer: TransactionalProducer) -> None:
        handled = 0
        while True:
            if handled != self.epoch:
                handled = self.epoch
                await self._take_over(producer)
                continue
            fetched = await self.consumer.getmany(timeout_ms=100, max_records=LARGEST)
            if fetched and handled == self.epoch and self.group is not None:
                await self._transact(producer, fetched, self.group)

    async def _take_over(self, producer: TransactionalProducer) -> None:
        """Fetched positions may be older than a commit that is under way: the stable ones are sought."""
        assigned = self.consumer.assignment()
        say(assigned=len(assigned), members=len(self.claimed))
        for dead in set(self.part.peers) - set(self.claimed):
            await fence(producer.client, dead, timeout_ms=TIMEOUT_MS, within=30)
        stable = await stable_offsets(producer.client, self.part.group, assigned, within=60)
        say(stable=sum(offset.offset for offset in stable.values()))
        for partition in assigned & self.consumer.assignment():
            self.consumer.seek(partition, stable[partition].offset if partition in stable else 0)

    async def _transact(
        self,
        producer: TransactionalProducer,
        fetched: Mapping[TopicPartition, list[ConsumerRecord]],
        group: GroupMetadata,
    ) -> None:
        producer.begin()
        for partition, records in fetched.items():
            batch = producer.create_batch()
            for record in records:
                batch.append(timestamp=record.timestamp, key=None, value=record.value, headers=[])
            await producer.send_batch(batch, self.part.sink, partition.partition)
        offsets = {partition: OffsetAndMetadata(rows[-1].offset + 1, "") for partition, rows in fetched.items()}
        await producer.commit(offsets, group)
        self.copied += sum(map(len, fetched.values()))
        say(copied=self.copied)


async def main() -> None:
    await Copier(Part(**json.loads(sys.argv[1]))).run()


if __name__ == "__main__":
    asyncio.run(main())
