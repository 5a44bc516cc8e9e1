"""Looks at and changes a cluster, with every result code checked.

aiokafka's admin client returns raw answers whose codes nobody looks at, and cannot delete a group or list offsets.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import groupby

from app.errors import BrokerUnavailable, ConfigError, NoPermission, TryAgain
from app.kafka.addresses import join_address
from app.kafka.clients import Target
from app.kafka.cluster import Cluster, TopicState, describe
from app.kafka.connecting import NoneAnswers, connect, connect_any
from app.kafka.connection import Broken, Connection
from app.kafka.faults import StepFailed, printable, versions_mismatch
from app.kafka.group_requests import DELETE_GROUPS, DESCRIBE_GROUPS, FIND_COORDINATOR, OFFSET_FETCH
from app.kafka.permissions import grant
from app.kafka.requests import NOT_ALLOWED, TRANSIENT, Answer, Api, Code, Operation, code_name
from app.kafka.topic_requests import CREATE_TOPICS, DELETE_TOPICS, DESCRIBE_CONFIGS, LIST_OFFSETS
from app.kafka.versions import Spoken, lacking

PATIENCE_S = 5.0
"""How long a cluster may take to find a coordinator or a leader."""
TOPIC_RESOURCE = 2
"""Of DescribeConfigs, a kind of what may be described."""
_GROUP = 0
"""Of FindCoordinator, a kind of coordinator."""
EARLIEST, LATEST = -2, -1
"""In the place of a time."""


@dataclass(frozen=True, slots=True)
class NewTopic:
    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Member:
    id: str
    client_id: str
    host: str


@dataclass(frozen=True, slots=True)
class GroupState:
    name: str
    state: str
    """Kafka's word: Stable, Empty, PreparingRebalance …; Dead for a group that is not there."""
    members: tuple[Member, ...]


class Admin:
    """Every method raises ServiceError: BrokerUnavailable where another attempt may help."""

    def __init__(self, target: Target, first: Connection, stack: AsyncExitStack) -> None:
        self._target = target
        self._first = first
        self._stack = stack
        self._nodes: dict[str, Connection] = {first.server: first}

    async def describe(self, topics: Sequence[str] | None) -> Cluster:
        """None: all topics that we may see."""
        try:
            return await describe(self._first, None if topics is None else list(topics), self._timeout)
        except Broken as error:
            raise _gone(self._first, error) from error

    def require(self, needed: Iterable[Spoken]) -> None:
        """Raises BrokerUnavailable where the broker is too old or too new."""
        if (lack := lacking(self._first.versions, needed)) is not None:
            spoken, offered = lack
            fault = versions_mismatch(spoken.name, (spoken.lowest, spoken.highest), offered, needed="2.5")
            raise fault.error()

    def check_topic(self, topic: TopicState) -> None:
        """For one that is there."""
        grant_command = self.grant(Operation.DESCRIBE, f"--topic {topic.name}")
        self.check({"error_code": topic.code}, f"topic {topic.name} cannot be seen", grant_command)

    async def create_topic(self, topic: NewTopic, cluster: Cluster) -> bool:
        """False where it has been there. Returns when the brokers know it."""
        return bool(await self.create_topics([topic], cluster))

    async def create_topics(self, topics: Sequence[NewTopic], cluster: Cluster) -> frozenset[str]:
        """The names of those that have not been there."""
        wanted = [new_topic_row(topic) for topic in topics]
        controller = await self.node(cluster.brokers.get(cluster.controller, self._first.server))
        answer = await self.ask(controller, CREATE_TOPICS, wanted, self._target.settings.request_timeout_ms, False)
        results = {str(result["name"]): result for result in answer["topics"]}
        new = {name for name, result in results.items() if result["error_code"] != Code.TOPIC_ALREADY_EXISTS}
        for name in sorted(new):
            self.check(
                results[name], f"topic {name} cannot be created", self.grant(Operation.CREATE, f"--topic {name}")
            )
        return frozenset(new)

    async def delete_topic(self, name: str, cluster: Cluster) -> None:
        """It is gone afterwards, whoever deleted it."""
        controller = await self.node(cluster.brokers.get(cluster.controller, self._first.server))
        answer = await self.ask(controller, DELETE_TOPICS, [name], self._target.settings.request_timeout_ms)
        result = only(answer["responses"])
        if result["error_code"] == Code.UNKNOWN_TOPIC_OR_PARTITION:
            return
        self.check(result, f"topic {name} cannot be deleted", self.grant(Operation.DELETE, f"--topic {name}"))

    async def configs(self, topic: str, names: Sequence[str]) -> dict[str, str] | None:
        """The values in effect; None where we may not see them."""
        return (await self.topic_configs({topic: names}))[topic]

    async def topic_configs(self, names: Mapping[str, Collection[str]]) -> dict[str, dict[str, str] | None]:
        """`configs` for several topics, each with the names to look at."""
        wanted = [(TOPIC_RESOURCE, topic, list(keys)) for topic, keys in names.items()]
        answer = await self.ask(self._first, DESCRIBE_CONFIGS, wanted, False)
        found: dict[str, dict[str, str] | None] = dict.fromkeys(names)
        for result in answer["results"]:
            topic = result["resource_name"]
            if result["error_code"] in NOT_ALLOWED:
                continue
            self.check(result, f"the configuration of topic {topic} cannot be read")
            entries = sorted(result["configs"], key=lambda entry: str(entry["name"]))
            found[topic] = {entry["name"]: entry["value"] or "" for entry in entries}
        return found

    async def end_offsets(self, topic: TopicState, cluster: Cluster) -> dict[int, tuple[int, int]]:
        """Partition → its first offset and its end. Partitions without a leader are left out."""
        first = await self.offsets_at(topic, cluster, EARLIEST)
        end = await self.offsets_at(topic, cluster, LATEST)
        return {partition: (first[partition], end[partition]) for partition in first if partition in end}

    async def offsets_at(self, topic: TopicState, cluster: Cluster, timestamp: int) -> dict[int, int]:
        """Partition → offset of its first record of that time (ms) or later, -1: has none; or EARLIEST, LATEST."""
        offsets: dict[int, int] = {}
        for server, partitions in by_leader(topic, cluster):
            rows = [(topic.name, [(partition, timestamp) for partition in partitions])]
            answer = await self.ask(await self.node(server), LIST_OFFSETS, -1, rows)
            for result in only(answer["topics"])["partitions"]:
                remedy = self.grant(Operation.DESCRIBE, f"--topic {topic.name}")
                self.check(result, f"the offsets of {topic.name} cannot be read", remedy)
                offsets[result["partition_index"]] = result["offset"]
        return offsets

    async def group(self, name: str) -> GroupState:
        result = only((await self.ask_coordinator(name, DESCRIBE_GROUPS, [name]))["groups"])
        self.check(result, f"group {name} cannot be seen", self.grant(Operation.DESCRIBE, f"--group {name}"))
        members = (
            Member(member["member_id"], member["client_id"], member["client_host"]) for member in result["members"]
        )
        return GroupState(name, result["group_state"], tuple(sorted(members, key=lambda member: member.id)))

    async def committed(self, group: str, topic: TopicState) -> dict[int, int]:
        """Partition → offset of the next record; partitions without a commit are left out."""
        wanted = [(topic.name, list(range(topic.partitions)))]
        answer = await self.ask_coordinator(group, OFFSET_FETCH, group, wanted)
        self.check(
            answer, f"the offsets of group {group} cannot be read", self.grant(Operation.DESCRIBE, f"--group {group}")
        )
        rows = [row for found in answer["topics"] for row in found["partitions"]]
        return {row["partition_index"]: row["committed_offset"] for row in rows if row["committed_offset"] >= 0}

    async def delete_group(self, name: str) -> bool:
        """False where there is none. Raises TryAgain while it has members."""
        result = only((await self.ask_coordinator(name, DELETE_GROUPS, [name]))["results"])
        if result["error_code"] == Code.GROUP_ID_NOT_FOUND:
            return False
        if result["error_code"] == Code.NON_EMPTY_GROUP:
            raise TryAgain(f"group {name} has members", try_next="end them first")
        self.check(result, f"group {name} cannot be deleted", self.grant(Operation.DELETE, f"--group {name}"))
        return True

    async def ask_coordinator(self, group: str, api: Api, *values: object) -> Answer:
        """A coordinator may be moving, or be made for the first group of a cluster: asked again for a while."""
        until = time.monotonic() + PATIENCE_S
        while True:
            found = await self.ask(self._first, FIND_COORDINATOR, group, _GROUP)
            code = found["error_code"]
            if code == Code.NONE:
                node = await self.node(join_address(found["host"], found["port"]))
                answer = await self.ask(node, api, *values)
                code = _code(answer)
                if code not in TRANSIENT:
                    return answer
            elif code not in TRANSIENT:
                self.check(found, f"group {group} cannot be seen", self.grant(Operation.DESCRIBE, f"--group {group}"))
            if time.monotonic() > until:
                raise BrokerUnavailable(f"the coordinator of group {group} is not available ({code_name(code)})")
            await asyncio.sleep(0.1)

    async def node(self, server: str) -> Connection:
        if server not in self._nodes:
            try:
                self._nodes[server] = await self._stack.enter_async_context(connect(self._target, server))
            except StepFailed as error:
                raise error.fault.error(str(error)) from error
        return self._nodes[server]

    @property
    def _timeout(self) -> float:
        return self._target.settings.request_timeout_ms / 1000

    async def ask(self, node: Connection, api: Api, *values: object) -> Answer:
        try:
            return await node.ask(api, *values, timeout=self._timeout)
        except Broken as error:
            raise _gone(node, error) from error

    def grant(self, operation: Operation, resource: str) -> str:
        return grant(self._target.settings, (operation,), resource)

    def check(self, result: Answer, what: str, remedy: str = "") -> None:
        code = result["error_code"]
        if code == Code.NONE:
            return
        said = printable(result.get("error_message") or code_name(code))
        if code in NOT_ALLOWED:
            raise NoPermission(f"{what}: not allowed", try_next=remedy)
        if code in TRANSIENT:
            raise BrokerUnavailable(f"{what} now: {said}")
        variable = _SETTING_OF.get(code)
        raise ConfigError(f"{what}: {said}", try_next=f"look at {variable}" if variable else "")


_SETTING_OF = {
    Code.INVALID_TOPIC_EXCEPTION: "APP_KAFKA__TOPIC",
    Code.INVALID_PARTITIONS: "APP_KAFKA__PARTITIONS",
    Code.INVALID_REPLICATION_FACTOR: "APP_KAFKA__REPLICATION_FACTOR",
    Code.POLICY_VIOLATION: "APP_KAFKA__PARTITIONS and APP_KAFKA__REPLICATION_FACTOR",
}


def new_topic_row(topic: NewTopic) -> tuple[object, ...]:
    """As CREATE_TOPICS takes it, without an assignment of our own."""
    return topic.name, topic.partitions, topic.replication_factor, [], list(topic.configs.items())


def by_leader(topic: TopicState, cluster: Cluster) -> Iterator[tuple[str, list[int]]]:
    """Where each partition is led: host:port and partitions. Those without a leader are left out."""
    led = sorted((leader, partition) for partition, leader in enumerate(topic.leaders) if leader in cluster.brokers)
    for leader, group in groupby(led, key=lambda pair: pair[0]):
        yield cluster.brokers[leader], [partition for _, partition in group]


def only(results: list[Answer]) -> Answer:
    """A broker answers for what it was asked; one that does not is not to be trusted further."""
    if len(results) != 1:
        raise BrokerUnavailable("the broker's answer cannot be read")
    return results[0]


def _code(answer: Answer) -> int:
    """The result code of an answer, wherever this kind of answer has it; of several the first that is a fault."""
    if "error_code" in answer:
        return int(answer["error_code"])
    rows = [row for part in answer.values() if isinstance(part, list) for row in part if isinstance(row, dict)]
    return next((code for row in rows if (code := _code(row))), 0)


def _gone(node: Connection, error: Exception) -> BrokerUnavailable:
    what = "does not answer" if isinstance(error, TimeoutError) else "closed the connection"
    return BrokerUnavailable(f"Kafka at {node.server} {what}")


@asynccontextmanager
async def open_admin(target: Target) -> AsyncIterator[Admin]:
    """Raises ServiceError, with the step of the connection that fell."""
    async with AsyncExitStack() as stack:
        try:
            first = await stack.enter_async_context(connect_any(target))
        except NoneAnswers as error:
            reason = error.as_error()
            raise type(reason)(f"Kafka at {', '.join(target.servers)}: {reason}") from error
        yield Admin(target, first, stack)
