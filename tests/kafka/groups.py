"""What the tests of membership share: a topology over topics of a test's own, and members to watch."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from typing import Any

from kafka.admin import KafkaAdminClient, NewPartitions, NewTopic

from app.kafka.clients import client_options
from app.kafka.membership import Assigned, Membership, MembershipOptions, Standing, membership
from app.settings.model import KafkaSettings
from app.streams import Builder, Materialized, StreamsConfig, Topology
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import utf8

WITHIN = 30.0


@dataclass
class World:
    """A group and topics that no other test has."""

    server: str
    partitions: int = 4
    request_timeout_ms: int = 10_000
    name: str = field(default_factory=lambda: f"group-{uuid.uuid4().hex[:8]}")

    @property
    def source(self) -> str:
        return f"{self.name}-in"

    def create(self, *topics: str, partitions: int | None = None) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            admin.create_topics([NewTopic(topic, partitions or self.partitions, 1) for topic in topics])

    def grow(self, topic: str, partitions: int) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            admin.create_partitions({topic: NewPartitions(partitions)})

    def delete(self, *topics: str) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            admin.delete_topics(list(topics))

    def topics(self) -> set[str]:
        with closing(KafkaAdminClient(bootstrap_servers=self.server)) as admin:
            return set(admin.list_topics())

    def stateless(self, node: str = "through") -> Topology:
        builder = Builder(StreamsConfig(application_id=self.name))
        builder.stream(self.source, key=utf8, value=utf8).filter(lambda _key, _value: True, name=node).to(
            f"{self.name}-out", key=utf8, value=utf8
        )
        return builder.build()

    def counting(self) -> Topology:
        builder = Builder(StreamsConfig(application_id=self.name))
        builder.stream(self.source, key=utf8, value=utf8).group_by_key(key=utf8, value=utf8).count(Materialized("c"))
        return builder.build()

    def matching(self, pattern: str) -> Topology:
        topology = Topology(StreamsConfig(application_id=self.name, default_key=utf8, default_value=utf8))
        return topology.add_source("those", pattern=pattern).add_sink("out", f"{self.name}-out", "those")

    def options(self, process: str, **changes: Any) -> MembershipOptions:
        plain = MembershipOptions(
            group=self.name,
            process=process,
            transactional_id=f"{self.name}-{process}",
            address=f"{process}:80",
            session_timeout_ms=6_000,
            revoke_within=5.0,
        )
        return replace(plain, **changes)

    def client(self) -> dict[str, Any]:
        return client_options(KafkaSettings(request_timeout_ms=self.request_timeout_ms), (self.server,))


async def _nothing(_lost: bool) -> None:
    """Nothing was in hand."""


@dataclass
class Watched:
    """A member whose owner does as it is told at once."""

    process: str
    group: Membership
    standing: Standing = field(default_factory=Standing)
    revocations: list[bool] = field(default_factory=list)
    when_revoked: Callable[[bool], Awaitable[None]] = _nothing
    joins: int = 0

    @property
    def now(self) -> Assigned | None:
        return self.group.assigned

    @property
    def told(self) -> Assigned:
        assert self.group.assigned is not None
        self.group.changed.clear()
        return self.group.assigned

    @property
    def active(self) -> set[TaskId]:
        return set(self.now.duties.active) if self.now else set()

    @property
    def standby(self) -> set[TaskId]:
        return set(self.now.duties.standby) if self.now else set()

    def say(self) -> Standing:
        self.joins += 1
        return self.standing

    async def on_revoked(self, lost: bool) -> None:
        self.revocations.append(lost)
        await self.when_revoked(lost)

    async def until(self, condition: Callable[[], object], within: float = WITHIN) -> None:
        """Raises what the membership failed with, and TimeoutError."""
        await until(lambda: self.group.failure or condition(), within)
        if self.group.failure is not None:
            raise self.group.failure

    def obey(self, lags: Mapping[TaskId, int] | None = None) -> None:
        """Whatever it is told to hold is up to date."""
        duties = self.told.duties
        copies = dict.fromkeys((*duties.active, *duties.standby, *duties.warmups), 0)
        self.standing = Standing(frozenset(duties.active), {**copies, **(lags or {})})


async def until(condition: Callable[[], object], within: float = WITHIN) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s")
        await asyncio.sleep(0.01)


@asynccontextmanager
async def member(
    world: World, process: str, topology: Topology | None = None, **options: Any
) -> AsyncIterator[Watched]:
    watched: Watched

    def standing() -> Standing:
        return watched.say()

    async def revoked(lost: bool) -> None:
        await watched.on_revoked(lost)

    group = membership(
        world.client(),
        topology or world.stateless(),
        world.options(process, **options),
        standing=standing,
        revoked=revoked,
    )
    # Joining begins within: `watched` has to be there before the first question.
    manager = group
    entering = manager.__aenter__()
    watched = Watched(process, None)  # type: ignore[arg-type]  # set in the next line
    watched.group = await entering
    try:
        yield watched
    finally:
        await manager.__aexit__(None, None, None)


def settled(members: Iterable[Watched], tasks: int) -> bool:
    """Whether all are in one generation and share so many tasks."""
    found = [each.now for each in members]
    if any(each is None for each in found):
        return False
    generations = {each.group.generation for each in found if each}
    running = [task for each in found if each for task in each.duties.active]
    return len(generations) == 1 and len(running) == len(set(running)) == tasks


def partitions(topic: str, *numbers: int) -> tuple[TopicPartition, ...]:
    return tuple(TopicPartition(topic, number) for number in numbers)
