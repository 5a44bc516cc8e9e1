"""Building joins by foreign key (F16): fourteen names, ten nodes, two topics (reference 2.1; KTableImpl)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.streams.dsl.graph import GraphNode
from app.streams.dsl.options import Materialized, joiner_of, serde_or_default
from app.streams.dsl.origins import SourceOrigin
from app.streams.joins.foreign_key import Answer, AnswerAll, Answered, Bytes, Receive, Resolve, Subscribe
from app.streams.serdes import raw
from app.streams.serdes.foreign_key import response, subscription
from app.streams.stores.specs import KeyValueSpec, LoggedHeaders
from app.streams.topology.nodes import Operator, SinkNode, SourceNode
from app.streams.topology.topology import InternalTopic, Topology

if TYPE_CHECKING:
    from app.streams.dsl.builder import Builder
    from app.streams.dsl.table import Table
    from app.streams.dsl.table_joining import TableJoins
    from app.streams.topology.names import Names

REGISTRATION = "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-"
PROCESSOR = "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-"
RESPONSE = "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"
OUTPUT = "KTABLE-FK-JOIN-OUTPUT-"


@dataclass(frozen=True, slots=True)
class ForeignNames:
    """In the order their indices are taken."""

    registration_topic: str
    subscribe: str
    registration_sink: str
    registration_source: str
    store: str
    receive: str
    answer: str
    answer_all: str
    response_topic: str
    response_sink: str
    response_source: str
    resolve: str
    result: str


def join_foreign(  # noqa: PLR0913  # the arguments of the two methods, and which of them it was
    left: TableJoins[Any, Any],
    right: TableJoins[Any, Any],
    joiner: Any,
    materialized: Materialized[Any, Any] | None,
    foreign_key: Callable[[Any, Any], Any],
    *,
    name: str | None,
    outer: bool,
) -> Table[Any, Any]:
    builder = left.builder
    right.origin.send_old_values(force=True)
    left.origin.send_old_values(force=True)
    names = _names(builder.names, name)
    # The index of a store for the result is burnt though an unnamed Materialized keeps nothing.
    keeping = builder.keeping(materialized, OUTPUT, key=left.key)
    join = _ForeignJoin(builder, names, left, right, outer=outer)
    add, internal = join.add_operator, join.add_topic
    subscribe = add(names.subscribe, Subscribe(foreign_key, join.bytes, outer, left.versioned), [left.node])
    registered = internal(join.registration_sink(), join.registration_source(), [subscribe])
    receive = add(names.receive, Receive(names.store, join.bytes), [registered], [names.store], join.subscriptions())
    right_view = right.origin.view()
    answer = add(names.answer, Answer(right_view), [receive], right_view.stores)
    answer_all = add(names.answer_all, AnswerAll(names.store, join.bytes, right.versioned), [right.node], [names.store])
    responded = internal(join.response_sink(), join.response_source(), [answer, answer_all])
    left_view = left.origin.view()
    resolver = Resolve(left_view, join.bytes, joiner_of(joiner), outer)
    resolve = add(names.resolve, resolver, [responded], left_view.stores)
    builder.graph.copartition(right.sources, frozenset([names.registration_source]))
    sources = left.sources | {names.response_source}
    builder.graph.copartition(sources)
    origin = SourceOrigin(keeping.name, materialized=keeping.queryable)

    def write(topology: Topology, parents: tuple[str, ...]) -> None:
        origin.write(topology, names.result, parents, keeping)

    node = builder.graph.add(GraphNode(names.result, write), resolve)
    return builder.new_table(node, origin, keeping, sources, key=left.key)


def _names(names: Names, name: str | None) -> ForeignNames:
    def take(suffix: str, prefix: str) -> str:
        return names.node(prefix, None if name is None else name + suffix)

    return ForeignNames(
        take("-subscription-registration", REGISTRATION) + "-topic",
        take("-subscription-registration-processor", REGISTRATION),
        take("-subscription-registration-sink", "KTABLE-SINK-"),
        take("-subscription-registration-source", "KTABLE-SOURCE-"),
        take("-subscription-store", "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-"),
        take("-subscription-receive", PROCESSOR),
        take("-subscription-join-foreign", PROCESSOR),
        take("-foreign-join-subscription", PROCESSOR),
        take("-subscription-response", RESPONSE) + "-topic",
        take("-subscription-response-sink", "KTABLE-SINK-"),
        take("-subscription-response-source", "KTABLE-SOURCE-"),
        take("-subscription-response-resolver", "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-"),
        take("-result", OUTPUT),
    )


class _ForeignJoin:
    """The parts of one join, and how they get into the graph: one graph node for each of Java's, in its order."""

    def __init__(
        self,
        builder: Builder,
        names: ForeignNames,
        left: TableJoins[Any, Any],
        right: TableJoins[Any, Any],
        *,
        outer: bool,
    ) -> None:
        config = builder.config
        self.graph = builder.graph
        self.config = config
        self.names = names
        self.outer = outer
        pseudo = config.internal_topic(names.registration_topic)
        keys = serde_or_default(left.key, config.default_key)
        self.bytes = Bytes(
            keys,
            f"{pseudo}-pk",
            serde_or_default(right.key, config.default_key),
            f"{pseudo}-fk",
            serde_or_default(left.value, config.default_value),
            f"{pseudo}-vh",
        )
        self._subscription = subscription(keys, self.bytes.primary_topic)
        right_values = serde_or_default(right.value, config.default_value)
        self._response = response(right_values)
        for what, serde in (("left values", self.bytes.left_value), ("right values", right_values)):
            # Inside the join's own serdes, where the topology's check does not see that they are missing.
            if serde is None:
                builder.faults.append(f"the foreign-key join {names.result} has no serde for its {what}")

    def subscriptions(self) -> KeyValueSpec:
        return KeyValueSpec(
            name=self.names.store,
            key=raw,
            value=self._subscription,
            timestamped=True,
            log_headers=LoggedHeaders.ALL,
            persistent=self.config.persistent_stores,
        )

    def registration_sink(self) -> SinkNode:
        names, key = self.names, self.bytes.foreign_key
        return SinkNode(names.registration_sink, (), names.registration_topic, key, self._subscription, internal=True)

    def registration_source(self) -> SourceNode:
        names, key = self.names, self.bytes.foreign_key
        topics = (names.registration_topic,)
        return SourceNode(names.registration_source, topics, key=key, value=self._subscription, internal=True)

    def response_sink(self) -> SinkNode:
        """Back to the partition the subscription came from."""
        names = self.names
        return SinkNode(
            names.response_sink,
            (),
            names.response_topic,
            self.bytes.primary_key,
            self._response,
            _to_subscriber,
            internal=True,
        )

    def response_source(self) -> SourceNode:
        names, key = self.names, self.bytes.primary_key
        topics = (names.response_topic,)
        return SourceNode(names.response_source, topics, key=key, value=self._response, internal=True)

    def add_operator(
        self,
        name: str,
        operator: Operator,
        parents: list[GraphNode],
        stores: tuple[str, ...] | list[str] = (),
        spec: KeyValueSpec | None = None,
    ) -> GraphNode:
        def write(topology: Topology, above: tuple[str, ...]) -> None:
            if spec is not None:
                topology.add_store(spec)
            topology.add_operator(name, operator, above, stores)

        return self.graph.add(GraphNode(name, write), *parents)

    def add_topic(self, sink: SinkNode, source: SourceNode, parents: list[GraphNode]) -> GraphNode:
        """A sink and the source that reads its topic; gives the source."""
        topic = source.topics[0]

        def write_sink(topology: Topology, above: tuple[str, ...]) -> None:
            topology.add_internal_topic(InternalTopic(topic))
            topology.add_node(SinkNode(sink.name, above, topic, sink.key, sink.value, sink.partitioner, internal=True))

        def write_source(topology: Topology, _above: tuple[str, ...]) -> None:
            topology.add_node(source)

        written = self.graph.add(GraphNode(sink.name, write_sink), *parents)
        return self.graph.add(GraphNode(source.name, write_source), written)


def _to_subscriber(_topic: str, _key: Any, answered: Answered, _partitions: int) -> tuple[int, ...] | None:
    return None if answered.partition is None else (answered.partition,)
