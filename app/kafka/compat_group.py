"""What group membership needs of aiokafka's private parts, checked when imported, as in `app.kafka.compat`."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Subscription, SubscriptionState, SubscriptionType
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from app.kafka.compat import dead_tasks, requires, takes

requires(AIOKafkaConsumer, "_client", "_coordinator", "_subscription")
requires(GroupCoordinator, "generation", "member_id", "coordinator_id", "request_rejoin", "check_errors")
requires(GroupCoordinator, "_do_heartbeat", "_pending_exception")
requires(SubscriptionState, "wait_for_assignment", "pause", "seek", "reassignment_in_progress", "assigned_partitions")
requires(SubscriptionState, "_set_subscription_type", "_change_subscription", "_listener")
requires(Subscription, "_topics")
takes(GroupCoordinator._do_heartbeat)
takes(SubscriptionState._set_subscription_type, "subscription_type")
takes(SubscriptionState._change_subscription, "subscription")
takes(SubscriptionState.seek, "tp", "offset")
takes(Subscription._assign, "topic_partitions")

UNPLACED = -1
"""A position that no fetch can be sent from without an error: whoever resumes a partition has to seek first."""


def group_client(consumer: AIOKafkaConsumer) -> AIOKafkaClient:
    return consumer._client


class _Subscription(Subscription):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's coordination would end over partitions of other topics; a static member may be given such, when its
    predecessor read them. Here they are passed over, and it is for the assignor to notice."""

    def _assign(self, topic_partitions: Iterable[TopicPartition]) -> None:
        super()._assign([partition for partition in topic_partitions if partition.topic in self._topics])


def subscribe(consumer: AIOKafkaConsumer, topics: Iterable[str], listener: ConsumerRebalanceListener) -> None:
    """As the consumer's own, for no topics too: a member that waits for topics of its pattern is a member."""
    state = consumer._subscription
    state._set_subscription_type(SubscriptionType.AUTO_TOPICS)
    state._listener = listener
    state._change_subscription(_Subscription(topics))
    consumer._client.set_topics(set(topics))


def gate(consumer: AIOKafkaConsumer) -> None:
    """Within `on_assignment`: nothing is fetched, and aiokafka looks up no offsets that could later replace ours."""
    for partition in consumer._subscription.assigned_partitions():
        consumer._subscription.pause(partition)
        consumer._subscription.seek(partition, UNPLACED)


def request_rejoin(consumer: AIOKafkaConsumer) -> None:
    consumer._coordinator.request_rejoin()


def is_member(consumer: AIOKafkaConsumer) -> bool:
    """Whether the client believes so; it is told at a heartbeat when it is no longer."""
    return consumer._coordinator is not None and consumer._coordinator.generation >= 0


def refresh_metadata(consumer: AIOKafkaConsumer) -> Awaitable[bool]:
    """Begun at once, waited for if need be; a leader's plan waits for it."""
    updated: Awaitable[bool] = consumer._client.force_metadata_update()
    return updated


def place(consumer: AIOKafkaConsumer) -> tuple[int, str]:
    """Generation and member id, as the client believes; -1 and "" of no member."""
    return consumer._coordinator.generation, consumer._coordinator.member_id


def on_heartbeat(consumer: AIOKafkaConsumer, ask: Callable[[Awaitable[bool]], Awaitable[bool]]) -> None:
    """`ask` awaits every heartbeat, whose result is whether the coordinator takes this client for a member."""
    coordinator = consumer._coordinator
    beat = coordinator._do_heartbeat
    coordinator._do_heartbeat = lambda: ask(beat())


async def next_trouble(consumer: AIOKafkaConsumer) -> KafkaError:
    """The next error for which aiokafka waits for its user before it goes on."""
    coordinator = consumer._coordinator
    while coordinator._pending_exception is None and not dead_tasks(consumer):
        try:
            await consumer._subscription.wait_for_assignment()
        except KafkaError as error:
            return error
    pending: KafkaError = coordinator._pending_exception or KafkaError("the client's coordinator ended unasked")
    return pending


def go_on(consumer: AIOKafkaConsumer) -> None:
    """After a trouble: aiokafka tries again. Raises KafkaError when it no longer can."""
    coordinator = consumer._coordinator
    if dead := dead_tasks(consumer):
        raise KafkaError(f"the client's {' and '.join(dead)} ended unasked")
    try:
        coordinator.check_errors()
    except KafkaError:
        return  # told already, by `next_trouble`


async def leave(client: AIOKafkaClient, node: int, group: str, member: str) -> Any:
    """Not over the connection of the coordination: a broker answers there only when a join under way has ended."""
    return await client.send(node, LeaveGroupRequest(group, member), group=ConnectionGroup.DEFAULT)


def joining(consumer: AIOKafkaConsumer) -> tuple[int, str] | None:
    """(coordinator, member id) while a rebalance is under way in which this client is a member already."""
    coordinator = consumer._coordinator
    if coordinator is None or coordinator.coordinator_id is None or not coordinator.member_id:
        return None
    if not consumer._subscription.reassignment_in_progress:
        return None
    return coordinator.coordinator_id, coordinator.member_id
