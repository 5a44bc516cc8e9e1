"""May the roles do what they have to? Asked in ways that change nothing on the cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from app.errors import ExitCode
from app.kafka.admin import new_topic_row
from app.kafka.cluster import Cluster, TopicState, missing
from app.kafka.connection import Connection
from app.kafka.faults import Fault, Step, printable
from app.kafka.group_requests import FIND_COORDINATOR, HEARTBEAT, INIT_PRODUCER_ID
from app.kafka.permissions import TopicNeed, grant, group_need, topic_needs, word
from app.kafka.report import Result, failed, passed, remarked
from app.kafka.requests import (
    NOT_ALLOWED,
    TRANSIENT,
    Answer,
    Code,
    Operation,
    code_name,
)
from app.kafka.topic_requests import CREATE_TOPICS
from app.kafka.topics import new_topic, remark
from app.settings.model import KafkaSettings, SettingsTree

COORDINATOR_WITHIN_S = 3.0


async def topic_results(connection: Connection, tree: SettingsTree, cluster: Cluster) -> AsyncIterator[Result]:
    """Raises what `Connection.ask` raises."""
    for need in topic_needs(tree):
        state = cluster.topics.get(need.name)
        if state is None or missing(state):
            yield await _creatable(connection, tree.kafka, need)
        else:
            yield _existing(state, need, tree.kafka)


def _existing(state: TopicState, need: TopicNeed, settings: KafkaSettings) -> Result:
    if state.code == Code.TOPIC_AUTHORIZATION_FAILED:
        why = f"topic {need.name} is not there, or may not be seen"
        remedy = grant(settings, need.operations, f"--topic {need.name}")
        fault = Fault(Step.TOPIC, "topic-not-allowed", why, (need.variable,), ExitCode.NO_PERMISSION, remedy)
        return failed(need.name, fault)
    leaderless = sum(leader < 0 for leader in state.leaders)
    if state.code != Code.NONE or leaderless:
        why = f"{leaderless} of {state.partitions} partitions have no leader" if leaderless else code_name(state.code)
        return failed(need.name, Fault(Step.TOPIC, "no-leader", f"topic {need.name}: {why}"))
    if said := remark(state, settings):
        return remarked(Step.TOPIC, need.name, f"{need.name} {said}")
    return passed(Step.TOPIC, need.name, f"{need.name} has {state.partitions} partitions")


async def _creatable(connection: Connection, settings: KafkaSettings, need: TopicNeed) -> Result:
    row = new_topic_row(new_topic(need.name, settings, None))
    answer = await connection.ask(CREATE_TOPICS, [row], 1_000, True)  # only validated
    result: Answer = answer["topics"][0] if answer["topics"] else {"error_code": Code.NONE}
    code = result["error_code"]
    if code in (Code.NONE, Code.TOPIC_ALREADY_EXISTS):
        copies = "" if settings.replication_factor < 0 else f" of {settings.replication_factor} copies"
        return passed(
            Step.TOPIC, need.name, f"{need.name} will be created with {settings.partitions} partitions{copies}"
        )
    if code == Code.NOT_CONTROLLER or code in TRANSIENT:
        return remarked(Step.TOPIC, need.name, f"{need.name} is not there; whether it may be created was not answered")
    if code in NOT_ALLOWED:
        why = f"topic {need.name} is not there and may not be created"
        remedy = grant(settings, (Operation.CREATE,), f"--topic {need.name}")
        fault = Fault(Step.TOPIC, "create-not-allowed", why, (need.variable,), ExitCode.NO_PERMISSION, remedy)
        return failed(need.name, fault)
    why = f"topic {need.name} cannot be created: {printable(result['error_message'] or code_name(code))}"
    look_at = ("APP_KAFKA__PARTITIONS", "APP_KAFKA__REPLICATION_FACTOR")
    return failed(need.name, Fault(Step.TOPIC, "cannot-create", why, look_at, ExitCode.CONFIG))


async def permission_results(connection: Connection, tree: SettingsTree, cluster: Cluster) -> AsyncIterator[Result]:
    """Raises what `Connection.ask` raises."""
    needs = topic_needs(tree)
    for need in needs:
        state = cluster.topics.get(need.name)
        if state is not None and state.code == Code.NONE:
            for result in _topic_rights(state, need, tree.kafka):
                yield result
    if any(Operation.WRITE in need.operations for need in needs):
        yield await _idempotent_write(connection, tree.kafka, needs)
    if (group := group_need(tree)) is not None:
        yield await group_result(connection, tree.kafka, group, "APP_C__GROUP_ID")


def _topic_rights(state: TopicState, need: TopicNeed, settings: KafkaSettings) -> list[Result]:
    if state.allowed is None:
        return [remarked(Step.PERMISSIONS, need.name, f"{need.name}: this broker does not tell what we may do")]
    denied = [operation for operation in need.operations if operation not in state.allowed]
    if not denied:
        words = " and ".join(word(operation) for operation in need.operations)
        return [passed(Step.PERMISSIONS, need.name, f"may {words} {need.name}")]
    return [failed(need.name, _denied(operation, need, settings)) for operation in denied]


def _denied(operation: Operation, need: TopicNeed, settings: KafkaSettings) -> Fault:
    why = f"no permission to {word(operation)} topic {need.name}"
    remedy = grant(settings, (operation,), f"--topic {need.name}")
    cause = f"topic-{operation.name.lower()}"
    return Fault(Step.PERMISSIONS, cause, why, (need.variable,), ExitCode.NO_PERMISSION, remedy)


async def _idempotent_write(connection: Connection, settings: KafkaSettings, needs: Sequence[TopicNeed]) -> Result:
    """A producer id is the first thing that an idempotent producer asks for; one that nobody uses is no burden."""
    answer = await connection.ask(INIT_PRODUCER_ID, None, 60_000)
    if answer["error_code"] not in NOT_ALLOWED:
        return passed(Step.PERMISSIONS, "cluster", "may write idempotently")
    names = " or ".join(need.name for need in needs if Operation.WRITE in need.operations)
    why = f"no permission for idempotent writes, which the right to write to {names} would bring"
    remedy = grant(settings, (Operation.IDEMPOTENT_WRITE,), "--cluster")
    fault = Fault(Step.PERMISSIONS, "idempotent-write", why, (), ExitCode.NO_PERMISSION, remedy)
    return failed("cluster", fault)


async def group_result(connection: Connection, settings: KafkaSettings, group: str, variable: str) -> Result:
    """A heartbeat of a member that never was: the right to read the group is looked at before the member is."""
    code = (await connection.ask(HEARTBEAT, group, -1, "check"))["error_code"]
    if code in NOT_ALLOWED:
        why = f"no permission to read group {group}"
        remedy = grant(settings, (Operation.READ,), f"--group {group}")
        fault = Fault(Step.PERMISSIONS, "group-read", why, (variable,), ExitCode.NO_PERMISSION, remedy)
        return failed(group, fault)
    code = await _coordinator(connection, group)
    if code != Code.NONE:
        why = f"group {group} has no coordinator ({code_name(code)})"
        remedy = "often offsets.topic.replication.factor of the brokers is larger than their number"
        return failed(group, Fault(Step.PERMISSIONS, "no-coordinator", why, remedy=remedy))
    return passed(Step.PERMISSIONS, group, f"may read group {group}")


async def _coordinator(connection: Connection, group: str) -> int:
    """The first group of a cluster has its coordinator made."""
    until = time.monotonic() + COORDINATOR_WITHIN_S
    while True:
        code = int((await connection.ask(FIND_COORDINATOR, group, 0))["error_code"])
        if code not in TRANSIENT or time.monotonic() > until:
            return code
        await asyncio.sleep(0.1)
