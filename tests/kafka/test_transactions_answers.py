"""What is made of a coordinator's answers, those included that a broker gives once a year."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    IncompatibleBrokerVersion,
    InvalidProducerEpoch,
    InvalidTxnState,
    KafkaConnectionError,
    KafkaError,
    ProducerClosed,
    ProducerFenced,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from app.kafka.compat import (
    FencedInstanceIdError,
    IdempotentProducer,
    Kip447Producer,
    TransactionalSender,
    TxnOffsetCommitHandler,
    WrappingTransactionManager,
)
from app.kafka.group_metadata import GroupMetadata
from app.kafka.outcomes import Aborted, Fenced, OutcomeUnknown, TransactionFailed, failed
from app.kafka.transactional_requests import (
    StableOffsetFetchRequest,
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequest_v3,
    TxnOffsetCommitResponse_v3,
)

GROUP = GroupMetadata("group", 3, "member", "instance")
A, B, C = (TopicPartition("topic", partition) for partition in range(3))


class Committing:
    """A producer that has sent TxnOffsetCommit for three partitions, without a broker."""

    def __init__(self, producer: Kip447Producer) -> None:
        self.manager: WrappingTransactionManager = vars(producer)["_txn_manager"]
        self.sender: TransactionalSender = vars(producer)["_sender"]
        self.manager.set_pid_and_epoch(7, 1)
        producer.begin()
        self.sender.commit_as(GROUP)
        offsets = {partition: OffsetAndMetadata(10 + partition.partition, "text") for partition in (A, B, C)}
        self.done: asyncio.Future[None] = self.manager.add_offsets_to_txn(offsets, GROUP.group)
        self.manager.consumer_group_added(GROUP.group)

    def answered(self, codes: Mapping[TopicPartition, int]) -> float | None:
        """The pause before the rest is sent again; None: there is no rest."""
        offsets, _ = self.manager.offsets_to_commit()
        rows: list[tuple[Any, ...]] = [(partition.partition, code, {}) for partition, code in codes.items()]
        answer = TxnOffsetCommitResponse_v3(0, [("topic", rows, {})], {})
        return TxnOffsetCommitHandler(self.sender, offsets).handle_response(answer)

    @property
    def pending(self) -> list[tuple[Any, ...]]:
        """Rows of the next request."""
        offsets, _ = self.manager.offsets_to_commit()
        request = TxnOffsetCommitHandler(self.sender, offsets).create_request()
        return [row for _, rows, _ in request.build(TxnOffsetCommitRequest_v3).topics for row in rows]


@pytest.fixture
async def committing() -> AsyncIterator[Committing]:
    producer = Kip447Producer(transactional_id="id", transaction_timeout_ms=1_000, retry_backoff_ms=100)
    yield Committing(producer)
    await producer.kill()
    await producer.stop()


async def test_every_partition_acknowledged(committing: Committing) -> None:
    assert committing.answered({A: 0, B: 0, C: 0}) is None
    assert committing.done.done()
    committing.done.result()


@pytest.mark.parametrize("order", [(A, B), (B, A)])
@pytest.mark.parametrize("code", [3, 7, 14, 15, 16, 51])
async def test_what_passes_is_sent_again_and_nothing_else(
    committing: Committing, code: int, order: tuple[TopicPartition, ...]
) -> None:
    """One is acknowledged, one refused for now, one not mentioned."""
    codes = {A: 0, B: code}
    coordinators = vars(committing.sender)["_coordinators"]
    coordinators[CoordinationType.GROUP] = 1
    assert committing.answered({partition: codes[partition] for partition in order})
    assert committing.pending == [(1, 11, -1, "text", {}), (2, 12, -1, "text", {})]
    assert (CoordinationType.GROUP not in coordinators) is (code in (7, 15, 16))
    assert not committing.done.done()
    assert committing.answered({B: 0, C: 0}) is None
    committing.done.result()


@pytest.mark.parametrize(
    ("code", "cause", "outcome"),
    [
        (22, IllegalGenerationError, Fenced),
        (25, UnknownMemberIdError, Fenced),
        (82, FencedInstanceIdError, Fenced),
        (47, InvalidProducerEpoch, Fenced),
        (90, InvalidProducerEpoch, Fenced),
        (27, RebalanceInProgressError, Aborted),
        (30, GroupAuthorizationFailedError, Aborted),
        (48, InvalidTxnState, Aborted),
    ],
)
async def test_what_lasts_fails_the_transaction(
    committing: Committing, code: int, cause: type[KafkaError], outcome: type[TransactionFailed]
) -> None:
    assert committing.answered({A: 0, B: 14, C: code}) is None
    error = committing.done.exception()
    assert error is not None
    assert type(error) is cause
    assert type(failed(error, end_unanswered=False)) is outcome
    assert committing.manager.offsets_to_commit() is None
    assert committing.manager.is_in_transaction()


@pytest.mark.parametrize(
    ("cause", "unanswered", "outcome", "committed"),
    [
        (KafkaConnectionError(), False, Aborted, False),
        (KafkaConnectionError(), True, OutcomeUnknown, None),
        (TimeoutError(), True, OutcomeUnknown, None),
        (ProducerFenced(), False, Fenced, False),
        (ProducerFenced(), True, Fenced, None),
    ],
)
def test_an_outcome_is_what_is_known(
    cause: Exception, unanswered: bool, outcome: type[TransactionFailed], committed: bool | None
) -> None:
    failure = failed(cause, end_unanswered=unanswered)
    assert type(failure) is outcome
    assert failure.committed is committed


def test_the_cause_is_looked_for_behind_the_senders_own_error() -> None:
    wrapping = KafkaError("Unexpected error during batch delivery")
    wrapping.__cause__ = InvalidProducerEpoch()
    assert type(failed(wrapping, end_unanswered=False)) is Fenced


@pytest.mark.parametrize(
    "request_", [TxnOffsetCommitRequest("id", (7, 1), GROUP, []), StableOffsetFetchRequest("group", [])]
)
@pytest.mark.parametrize("highest", [0, 2])
def test_a_broker_that_cannot_fence_is_refused(request_: Any, highest: int) -> None:
    with pytest.raises(IncompatibleBrokerVersion, match=r"Kafka 2\.5"):
        request_.prepare({28: (0, highest), 9: (0, highest)})


async def test_sequence_numbers_go_from_the_largest_to_zero() -> None:
    producer = IdempotentProducer()
    manager: WrappingTransactionManager = vars(producer)["_txn_manager"]
    manager.increment_sequence_number(A, 2**31 - 1)
    assert manager.sequence_number(A) == 2**31 - 1
    manager.increment_sequence_number(A, 1)
    assert manager.sequence_number(A) == 0
    manager.increment_sequence_number(A, 2**31 - 2)
    manager.increment_sequence_number(A, 5)
    assert manager.sequence_number(A) == 3
    await producer.stop()


async def test_a_group_that_was_announced_and_refused_is_not_asked_for_again() -> None:
    producer = Kip447Producer(transactional_id="id", transaction_timeout_ms=1_000, retry_backoff_ms=100)
    manager: WrappingTransactionManager = vars(producer)["_txn_manager"]
    manager.set_pid_and_epoch(7, 1)
    producer.begin()
    assert manager.consumer_group_to_add() is None
    producer.announce([], GROUP.group)
    assert manager.consumer_group_to_add() == GROUP.group
    manager.error_transaction(GroupAuthorizationFailedError(GROUP.group))
    assert manager.consumer_group_to_add() is None
    assert isinstance(producer.ended.exception(), GroupAuthorizationFailedError)
    await producer.stop()


async def test_a_batch_that_waits_to_be_sent_again_fails_quietly() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    producer = IdempotentProducer()
    manager, accumulator = (vars(producer)[name] for name in ("_txn_manager", "_message_accumulator"))
    manager.set_pid_and_epoch(1, 0)
    batch = producer.create_batch()
    batch.append(timestamp=0, key=None, value=b"a", headers=[])
    confirmed = await accumulator.add_batch(batch, A, 1)
    accumulator.reenqueue(vars(type(accumulator))["_pop_batch"](accumulator, A))
    await producer.kill()
    with pytest.raises(ProducerClosed):
        await confirmed
    await producer.stop()
    assert not told
