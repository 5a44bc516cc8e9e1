"""Every private attribute of aiokafka that is touched, checked when imported against the pinned version.

Below the checks: what KIP-447 needs of a producer, written as aiokafka itself might have it. What goes straight into
and out of record batches is in `compat_rows`.
"""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import aiokafka
import aiokafka.errors
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndMetadata, TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    BrokerResponseError,
    ConcurrentTransactions,
    CoordinatorNotAvailableError,
    InvalidProducerEpoch,
    NoError,
    NotCoordinatorError,
    ProducerClosed,
    RequestTimedOutError,
    for_code,
)
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.producer.sender import (
    AddOffsetsToTxnHandler,
    AddPartitionsToTxnHandler,
    BaseHandler,
    EndTxnHandler,
    Sender,
)
from aiokafka.producer.transaction_manager import TransactionManager, TransactionResult

from app.kafka.failpoints import Failpoint, Step, passes
from app.kafka.group_metadata import GroupMetadata
from app.kafka.transactional_requests import TxnOffsetCommitRequest
from app.streams import model

SUPPORTED = "0.14."
KILL_WITHIN = 1.0

if not aiokafka.__version__.startswith(SUPPORTED):
    raise ImportError(f"aiokafka {aiokafka.__version__} is not {SUPPORTED}*: its private parts were not looked at")
if not __debug__:
    raise ImportError("aiokafka guards the states of a transaction by assertions: do not run it under python -O")


def requires(owner: type, *names: str) -> None:
    known = {*vars(owner), *vars(owner)["__init__"].__code__.co_names}
    if missing := [name for name in names if name not in known]:
        raise ImportError(f"aiokafka {aiokafka.__version__}: {owner.__name__} has no {', '.join(missing)}")


def takes(function: Callable[..., Any], *names: str) -> None:
    if (found := tuple(inspect.signature(function).parameters)) != ("self", *names):
        raise ImportError(f"aiokafka {aiokafka.__version__}: {function.__qualname__} takes {', '.join(found)}")


requires(Fetcher, "_fetch_task")
requires(GroupCoordinator, "_coordination_task", "generation", "member_id", "group_id", "_group_instance_id")
requires(Sender, "sender_task", "_sender_task", "_retry_backoff", "_coordinator_dead", "_find_coordinator")
requires(Sender, "_send_produce_req", "_maybe_do_transactional_request", "_do_add_partitions_to_txn")
requires(Sender, "_do_add_offsets_to_txn", "_do_txn_offset_commit", "_do_txn_commit", "_message_accumulator")
requires(MessageAccumulator, "_batches", "_pending_batches", "_txn_manager", "fail_all", "flush_for_commit")
requires(MessageBatch, "_drain_waiter")
requires(TransactionManager, "_sequence_numbers", "_pending_txn_offsets", "_transaction_waiter", "offset_committed")
requires(TransactionManager, "_txn_consumer_group", "consumer_group_to_add", "is_in_transaction", "notify_task_waiter")
requires(TransactionManager, "maybe_add_partition_to_txn", "begin_transaction")
requires(AIOKafkaConsumer, "_fetcher", "_coordinator")
requires(AIOKafkaProducer, "_sender", "_txn_manager", "_message_accumulator", "client", "_request_timeout_ms")
takes(Sender.__init__, "client", "acks", "txn_manager", "message_accumulator", "retry_backoff_ms", "request_timeout_ms")
takes(Sender._send_produce_req, "node_id", "batches")
takes(Sender._maybe_do_transactional_request)
takes(Sender._do_add_partitions_to_txn, "tps")
takes(Sender._do_add_offsets_to_txn, "group_id")
takes(Sender._do_txn_offset_commit, "offsets", "group_id")
takes(Sender._do_txn_commit, "commit_result")
takes(BaseHandler.do, "node_id")
takes(AddPartitionsToTxnHandler.__init__, "sender", "topic_partitions")
takes(AddOffsetsToTxnHandler.__init__, "sender", "group_id")
takes(EndTxnHandler.__init__, "sender", "commit_result")
takes(TransactionManager.__init__, "transactional_id", "transaction_timeout_ms")
takes(TransactionManager.increment_sequence_number, "tp", "increment")


def dead_tasks(client: AIOKafkaConsumer | AIOKafkaProducer) -> list[str]:
    """Background tasks of a started client that have ended: from then on it waits for ever and says nothing."""
    owned: dict[str, Any] = {}
    if isinstance(client, AIOKafkaConsumer):
        owned["fetcher"] = getattr(client._fetcher, "_fetch_task", None)
        owned["coordinator"] = getattr(client._coordinator, "_coordination_task", None)
    else:
        owned["sender"] = getattr(client._sender, "sender_task", None)
    return [name for name, task in owned.items() if isinstance(task, asyncio.Task) and task.done()]


def group_metadata(consumer: AIOKafkaConsumer) -> GroupMetadata:
    """Of a member, while its assignor's `on_assignment` runs: later it may be another's. Raises ValueError."""
    member = consumer._coordinator
    return GroupMetadata(member.group_id, member.generation, member.member_id, member._group_instance_id)


class FencedInstanceIdError(BrokerResponseError):  # type: ignore[misc]  # aiokafka is untyped
    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another member has taken over this group.instance.id."


class UnstableOffsetCommitError(BrokerResponseError):  # type: ignore[misc]
    errno = 88
    message = "UNSTABLE_OFFSET_COMMIT"
    description = "An open transaction may change the committed offset."
    retriable = True


for _error in (FencedInstanceIdError, UnstableOffsetCommitError):
    aiokafka.errors.kafka_errors.setdefault(_error.errno, _error)
# PRODUCER_FENCED. Its handlers know InvalidProducerEpoch, which old versions of a request have in its place.
aiokafka.errors.kafka_errors.setdefault(90, InvalidProducerEpoch)

CONCURRENT_BACKOFF = 0.005
"""Seconds. Markers of the last transaction are written in about as many; aiokafka waits 20 ms, or even 100."""


class _AddPartitions(AddPartitionsToTxnHandler):  # type: ignore[misc]
    def handle_response(self, resp: Any) -> float | None:
        concurrent = any(code == ConcurrentTransactions.errno for _, rows in resp.errors for _, code in rows)
        backoff: float | None = super().handle_response(resp)
        return backoff and (CONCURRENT_BACKOFF if concurrent else backoff)


class _AddOffsets(AddOffsetsToTxnHandler):  # type: ignore[misc]
    def handle_response(self, resp: Any) -> float | None:
        backoff: float | None = super().handle_response(resp)
        return backoff and (CONCURRENT_BACKOFF if resp.error_code == ConcurrentTransactions.errno else backoff)


class TxnOffsetCommitHandler(BaseHandler):  # type: ignore[misc]
    """TxnOffsetCommit v3: with the group's metadata, by which the coordinator fences (KIP-447)."""

    group = ConnectionGroup.COORDINATION

    def __init__(self, sender: "TransactionalSender", offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        super().__init__(sender)
        self._offsets = dict(offsets)

    def create_request(self) -> TxnOffsetCommitRequest:
        sender, manager = self._sender, self._sender._txn_manager
        topics: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for partition, offset in sorted(self._offsets.items()):
            topics[partition.topic].append((partition.partition, offset.offset, offset.metadata))
        producer = (manager.producer_id, manager.producer_epoch)
        return TxnOffsetCommitRequest(manager.transactional_id, producer, sender.group, list(topics.items()))

    def handle_response(self, resp: Any) -> float | None:
        """Every partition that is not acknowledged stays pending, and is sent again or fails the transaction."""
        sender, manager = self._sender, self._sender._txn_manager
        refused: list[type[BrokerResponseError]] = []
        for topic, rows, _ in resp.errors:
            for index, code, _ in rows:
                partition, error = TopicPartition(topic, index), for_code(code)
                if code:
                    refused.append(error)
                elif partition in self._offsets:
                    manager.offset_committed(partition, self._offsets.pop(partition).offset, sender.group.group)
        if final := [error for error in refused if not _passing(error)]:
            sender.refuse_offsets(final[0](f"offsets of group {sender.group.group}"))
            return None
        if {CoordinatorNotAvailableError, NotCoordinatorError, RequestTimedOutError} & set(refused):
            sender._coordinator_dead(CoordinationType.GROUP)
        return self._default_backoff if self._offsets else None

    def handle_error(self) -> float:
        self._sender._coordinator_dead(CoordinationType.GROUP)
        return float(self._default_backoff)


def _passing(error: type[BrokerResponseError]) -> bool:
    return error is ConcurrentTransactions or bool(error.retriable)


class _EndTxn(EndTxnHandler):  # type: ignore[misc]
    async def do(self, node_id: int) -> bool:
        asking = asyncio.ensure_future(super().do(node_id))
        try:
            # The first turn writes the request, the second lets uvloop hand it to the kernel.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._sender.reached(Step.END_SENT)
            return bool(await asking)
        finally:
            asking.cancel()

    def create_request(self) -> Any:
        request = super().create_request()
        self._sender.ends_unanswered += 1
        return request

    def handle_response(self, resp: Any) -> float | None:
        error = for_code(resp.error_code)
        # NoError is not counted off: our deadline may pass before the caller has woken up to it. With the two others
        # the decision may have been written, and only its replication not been seen.
        if error not in (NoError, CoordinatorNotAvailableError, NotCoordinatorError):
            self._sender.ends_unanswered -= 1
        backoff: float | None = super().handle_response(resp)
        return backoff and (CONCURRENT_BACKOFF if error is ConcurrentTransactions else backoff)


class StoppableSender(Sender):  # type: ignore[misc]
    """Can be stopped at once, whatever it waits for."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def kill(self) -> None:
        """Nothing is sent any more, from the moment of the call on."""
        tasks = {*self._under_way, *([self._sender_task] if self._sender_task else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=KILL_WITHIN)

    def _maybe_do_transactional_request(self) -> asyncio.Task[Any] | None:
        task: asyncio.Task[Any] | None = super()._maybe_do_transactional_request()
        if task is not None:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return task

    async def _send_produce_req(self, node_id: int, batches: dict[TopicPartition, MessageBatch]) -> None:
        if (task := asyncio.current_task()) is not None:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        await super()._send_produce_req(node_id, batches)


class TransactionalSender(StoppableSender):
    """Commits offsets as a member of a group."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self.reached: Failpoint = passes
        self.ends_unanswered = 0
        """Of this transaction: EndTxn requests that the coordinator is not known to have refused."""
        self.group: GroupMetadata | None = None

    def commit_as(self, group: GroupMetadata) -> None:
        if self.group is not None and self.group.group != group.group:
            self._coordinator_dead(CoordinationType.GROUP)
        self.group = group

    def refuse_offsets(self, error: Exception) -> None:
        """Not by the manager's `error_transaction`: it forgets the partitions, so that an abort would send nothing."""
        _, _, waiter = self._txn_manager._pending_txn_offsets.popleft()
        if not waiter.done():
            waiter.set_exception(error)

    async def _do_add_partitions_to_txn(self, tps: set[TopicPartition]) -> bool:
        node = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        return bool(await _AddPartitions(self, tps).do(node))

    async def _do_add_offsets_to_txn(self, group_id: str) -> bool:
        node = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        return bool(await _AddOffsets(self, group_id).do(node))

    async def _do_txn_offset_commit(self, offsets: dict[TopicPartition, OffsetAndMetadata], group_id: str) -> None:
        node = await self._find_coordinator(CoordinationType.GROUP, group_id)
        await TxnOffsetCommitHandler(self, offsets).do(node)

    async def _do_txn_commit(self, commit_result: TransactionResult) -> None:
        if commit_result is not TransactionResult.COMMIT:
            await super()._do_txn_commit(commit_result)
            return
        await self._message_accumulator.flush_for_commit()
        manager = self._txn_manager
        if manager.is_empty_transaction():
            manager.complete_transaction()
            return
        node = await self._find_coordinator(CoordinationType.TRANSACTION, manager.transactional_id)
        await _EndTxn(self, commit_result).do(node)


class WrappingTransactionManager(TransactionManager):  # type: ignore[misc]
    """Sequence numbers go from 2^31 - 1 to 0, as in org.apache.kafka.common.record.DefaultRecordBatch; aiokafka's go
    on below zero, which a broker refuses."""

    def increment_sequence_number(self, tp: TopicPartition, increment: int) -> None:
        self._sequence_numbers[tp] = (self._sequence_numbers[tp] + increment) & 0x7FFFFFFF


class AnnouncingTransactionManager(WrappingTransactionManager):
    """The group whose offsets a transaction will hold may be named before there are any."""

    _announced: str | None = None

    def begin_transaction(self) -> None:
        self._announced = None
        super().begin_transaction()

    def announce(self, group: str) -> None:
        self._announced = group
        self.notify_task_waiter()

    def consumer_group_to_add(self) -> str | None:
        # Not where it was refused or is being ended: it would be asked for without end.
        if self._announced is not None and self._txn_consumer_group is None and self.is_in_transaction():
            return self._announced
        group: str | None = super().consumer_group_to_add()
        return group


class IdempotentProducer(AIOKafkaProducer):  # type: ignore[misc]
    """Repeats without doubling, for more than 2^31 records to a partition, and can be stopped at once."""

    _sender_class: type[StoppableSender] = StoppableSender
    _manager_class: type[WrappingTransactionManager] = WrappingTransactionManager

    def __init__(
        self,
        *,
        transactional_id: str | None = None,
        transaction_timeout_ms: int = 60_000,
        retry_backoff_ms: int = 100,
        **rest: Any,
    ) -> None:
        super().__init__(
            transactional_id=transactional_id,
            transaction_timeout_ms=transaction_timeout_ms,
            retry_backoff_ms=retry_backoff_ms,
            enable_idempotence=True,
            acks="all",
            **rest,
        )
        manager = self._manager_class(transactional_id, transaction_timeout_ms)
        self._txn_manager = self._message_accumulator._txn_manager = manager
        self._sender = self._sender_class(
            self.client,
            acks=-1,
            txn_manager=manager,
            message_accumulator=self._message_accumulator,
            retry_backoff_ms=retry_backoff_ms,
            request_timeout_ms=self._request_timeout_ms,
        )

    async def kill(self) -> None:
        """Sends nothing more and fails all that waits. `stop()` is then quick. What is open stays so until the next
        producer with this transactional id."""
        accumulator, manager = self._message_accumulator, self._txn_manager
        left = [
            *accumulator._pending_batches,
            *(batch for batches in accumulator._batches.values() for batch in batches),
        ]
        await self._sender.kill()
        # A batch that waits to be sent again would look for itself there when it fails, and find nothing.
        accumulator._pending_batches.update(batch for batch in left if batch.retry_count)
        accumulator.fail_all(ProducerClosed())
        waiters = [batch._drain_waiter for batch in left]
        waiters += [waiter for _, _, waiter in manager._pending_txn_offsets]
        waiters += [manager._transaction_waiter] if manager._transaction_waiter else []
        for waiter in waiters:
            # Looked at, so that the loop does not report them as never retrieved.
            if waiter.done() and not waiter.cancelled():
                waiter.exception()


class Kip447Producer(IdempotentProducer):
    """A transactional producer whose offsets are fenced by the group, one for all partitions of a process."""

    _sender_class = TransactionalSender
    _manager_class = AnnouncingTransactionManager

    def on_end_sent(self, failpoint: Failpoint) -> None:
        self._sender.reached = failpoint

    def begin(self) -> None:
        """After `start()`, for then the producer has its id."""
        self._sender.ends_unanswered = 0
        self._txn_manager.begin_transaction()

    def announce(self, partitions: Iterable[model.TopicPartition], group: str) -> None:
        """Within a transaction: they are added to it in the background."""
        for partition in partitions:
            self._txn_manager.maybe_add_partition_to_txn(TopicPartition(*partition))
        self._txn_manager.announce(group)

    @property
    def ended(self) -> "asyncio.Future[None]":
        """The end of the transaction that was begun last; before a commit or an abort it can only be an error."""
        ended: asyncio.Future[None] = self._txn_manager.wait_for_transaction_end()
        return ended

    @property
    def end_unanswered(self) -> bool:
        return bool(self._sender.ends_unanswered)

    async def send_offsets_to_transaction(
        self, offsets: Mapping[model.TopicPartition, model.Offset], group: GroupMetadata
    ) -> None:
        """Raises KafkaError: IllegalGenerationError, UnknownMemberIdError, FencedInstanceIdError where it is fenced."""
        self._sender.commit_as(group)
        own = {TopicPartition(*partition): OffsetAndMetadata(*offset) for partition, offset in offsets.items()}
        await super().send_offsets_to_transaction(own, group.group)  # which takes no other tuples
