"""What the stream topology needs of the cluster: versions, topics, rights. Asked in ways that change nothing."""

from collections.abc import AsyncIterator, Iterator, Sequence

from app.errors import ExitCode
from app.kafka.admin import NewTopic, new_topic_row
from app.kafka.cluster import Cluster, TopicState, describe, missing
from app.kafka.connection import Connection
from app.kafka.faults import Fault, Step, printable, versions_mismatch
from app.kafka.group_requests import END_TXN
from app.kafka.internal_topics import NEEDED as INTERNAL_OPERATIONS
from app.kafka.internal_topics import misfits, wanted_topics
from app.kafka.permissions import grant, word
from app.kafka.report import Result, failed, passed
from app.kafka.requests import NOT_ALLOWED, TRANSIENT, Code, Operation, code_name
from app.kafka.rights import group_result
from app.kafka.topic_requests import CREATE_TOPICS
from app.kafka.versions import NEEDED_BY_STREAMS, lacking
from app.settings.model import SettingsTree
from app.streams.errors import TopologyError
from app.streams.topology.nodes import SourceNode
from app.streams.topology.plan import PlannedTopic, plan, topics_of
from app.streams.topology.topology import Topology

_APPLICATION = "APP_STREAMS__APPLICATION_ID"
_TOPOLOGY = "APP_TOPOLOGY"
_INTERNAL = (Operation.READ, Operation.WRITE, Operation.DELETE)


async def stream_results(connection: Connection, tree: SettingsTree, topology: Topology) -> AsyncIterator[Result]:
    """Raises what `Connection.ask` raises."""
    if (lack := lacking(connection.versions, NEEDED_BY_STREAMS)) is not None:
        spoken, offered = lack
        fault = versions_mismatch(spoken.name, (spoken.lowest, spoken.highest), offered, needed="2.5")
        yield failed(connection.server, fault)
        return
    cluster = await describe(connection, None)
    for result in [result async for result in _topics(connection, tree, topology, cluster)]:
        yield result
    yield await group_result(connection, tree.kafka, topology.config.application_id, _APPLICATION)
    if tree.streams.exactly_once:
        yield await _transactional_id(connection, tree, topology.config.application_id)


async def _topics(
    connection: Connection, tree: SettingsTree, topology: Topology, cluster: Cluster
) -> AsyncIterator[Result]:
    counts = {state.name: state.partitions for state in cluster.topics.values() if not state.internal}
    own = (tree.kafka.topic, tree.kafka.partitions)
    if own[0] not in counts and set(tree.roles) & {"a", "b", "c"}:
        counts[own[0]] = own[1]  # made by the roles, before
    nodes = [node for node in topology.nodes.values() if isinstance(node, SourceNode)]
    read = {name for node in nodes for name in topics_of(topology, node, counts)}
    try:
        planned = plan(topology, {name: counts[name] for name in read if name in counts})
    except TopologyError as error:
        for fault in error.faults:
            yield failed(fault, Fault(Step.TOPIC, "misfit", fault, (_TOPOLOGY,), ExitCode.CONFIG))
        return
    letters = topology.config.dead_letter_topic
    wanted = wanted_topics(topology, planned, PlannedTopic(letters, 1, {}) if letters else None)
    for line in misfits(cluster.topics, wanted.internal, topology.config.application_id):
        said = line.removeprefix("- ")
        yield failed(said, Fault(Step.TOPIC, "misfit", said, (_APPLICATION,), ExitCode.CONFIG))
    absent = [topic for topic in wanted.all if missing(cluster.topics.get(topic.name))]
    if absent:
        yield await _creatable(connection, tree, topology, absent)
    made = {topic.name for topic in wanted.internal}
    internal = [cluster.topics[name] for name in sorted(made) if name in cluster.topics]
    sources = [cluster.topics[name] for name in sorted(read - made) if name in cluster.topics]
    others = [cluster.topics[topic.name] for topic in wanted.others if topic.name in cluster.topics]
    for states, operations in ((sources, (Operation.READ,)), (internal, _INTERNAL), (others, (Operation.WRITE,))):
        for result in _rights(states, operations, tree):
            yield result


async def _creatable(
    connection: Connection, tree: SettingsTree, topology: Topology, absent: Sequence[PlannedTopic]
) -> Result:
    copies = tree.kafka.replication_factor
    rows = [new_topic_row(NewTopic(each.name, each.partitions, copies, each.config)) for each in absent]
    answer = await connection.ask(CREATE_TOPICS, rows, 1_000, True)  # only validated
    names = ", ".join(topic.name for topic in absent)
    for result in answer["topics"]:
        code, name = result["error_code"], result["name"]
        if code in (Code.NONE, Code.TOPIC_ALREADY_EXISTS) or code in TRANSIENT:
            continue
        if code in NOT_ALLOWED:
            prefix = f"--topic {topology.config.internal_topic('')} --resource-pattern-type prefixed"
            ours = name.startswith(topology.config.internal_topic(""))
            remedy = grant(
                tree.kafka,
                INTERNAL_OPERATIONS if ours else (Operation.CREATE, Operation.DESCRIBE, Operation.WRITE),
                prefix if ours else f"--topic {name}",
            )
            why = f"topic {name} is not there and may not be created"
            fault = Fault(Step.TOPIC, "create-not-allowed", why, (_APPLICATION,), ExitCode.NO_PERMISSION, remedy)
            return failed(name, fault)
        why = f"topic {name} cannot be created: {printable(result['error_message'] or code_name(code))}"
        return failed(
            name, Fault(Step.TOPIC, "cannot-create", why, ("APP_KAFKA__REPLICATION_FACTOR",), ExitCode.CONFIG)
        )
    return passed(Step.TOPIC, topology.config.application_id, f"the topology will create {names}")


def _rights(states: Sequence[TopicState], operations: tuple[Operation, ...], tree: SettingsTree) -> Iterator[Result]:
    for state in states:
        denied = [operation for operation in operations if state.allows(operation) is False]
        for operation in denied:
            why = f"no permission to {word(operation)} topic {state.name}"
            remedy = grant(tree.kafka, (operation,), f"--topic {state.name}")
            cause = f"topic-{operation.name.lower()}"
            fault = Fault(Step.PERMISSIONS, cause, why, (_TOPOLOGY,), ExitCode.NO_PERMISSION, remedy)
            yield failed(state.name, fault)
        if not denied:
            words = ", ".join(word(operation) for operation in operations)
            yield passed(Step.PERMISSIONS, state.name, f"may {words} {state.name}")


async def _transactional_id(connection: Connection, tree: SettingsTree, application: str) -> Result:
    """The end of a transaction that never was: the right to write is looked at before the producer is."""
    code = (await connection.ask(END_TXN, f"{application}-check", 0, 0, False))["error_code"]
    if code not in NOT_ALLOWED:
        return passed(Step.PERMISSIONS, application, f"may use transactional ids that begin with {application}-")
    why = f"no permission to write with transactional ids that begin with {application}-"
    resource = f"--transactional-id {application}- --resource-pattern-type prefixed"
    remedy = grant(tree.kafka, (Operation.DESCRIBE, Operation.WRITE), resource)
    fault = Fault(Step.PERMISSIONS, "transactional-id", why, (_APPLICATION,), ExitCode.NO_PERMISSION, remedy)
    return failed(application, fault)
