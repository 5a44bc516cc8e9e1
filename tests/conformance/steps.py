"""Steps of a scenario as calls of the DSL or of the Topology API (FORMAT §3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.streams.dsl.builder import Builder
from app.streams.dsl.global_table import GlobalTable
from app.streams.dsl.options import Joined, Materialized, StreamJoined
from app.streams.dsl.stream import Branch, Stream
from app.streams.dsl.suppressing import Buffer, UntilTimeLimit, UntilWindowCloses, WhenFull
from app.streams.stores.specs import KeyValueSpec, LruSpec, SessionSpec, StoreSpec, VersionedSpec, WindowSpec
from app.streams.topology.nodes import Reset, SourceNode
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import Emit, Hopping, JoinWindows, Sessions, Sliding, Tumbling, Unlimited
from tests.conformance import folds, lambdas
from tests.conformance.lambdas import named
from tests.conformance.processors import supplier
from tests.conformance.values import UnknownName, from_json, serde

Step: TypeAlias = Mapping[str, Any]
Log: TypeAlias = Callable[[str, Any, Any], None]


def _no_log(_label: str, _key: Any, _value: Any) -> None:
    """For topologies that are built but whose calls nobody looks at."""


@dataclass
class Names:
    """What earlier steps are bound to, and where `peek` and `foreach` report to."""

    builder: Builder
    api: Topology
    log: Log = _no_log
    bound: dict[str, Any] = field(default_factory=dict)
    uses_api: bool = False

    def of(self, step: Step, which: str = "from") -> Any:
        return self.bound[step[which]]


Op: TypeAlias = Callable[[Names, Step], Any]


def topology(builder: Builder, steps: Iterable[Step], log: Log = _no_log) -> Topology:
    """The topology that the steps describe, made with `builder`; raises UnknownName for a step not known."""
    names = Names(builder, Topology(builder.config), log)
    for step in steps:
        if step["op"] not in OPS:
            raise UnknownName(f"op {step['op']}")
        made = OPS[step["op"]](names, step)
        if "let" in step:
            names.bound[step["let"]] = made
    return names.api.validate() if names.uses_api else builder.build()


def given(step: Step, *fields: str) -> dict[str, Any]:
    """Keyword arguments for the fields a step has; serde names become serdes."""
    return {name: serde(step[name]) if name in SERDES else step[name] for name in fields if name in step}


SERDES = ("key", "value", "other_value")


def materialized(step: Step) -> Materialized[Any, Any] | None:
    if "materialized" not in step:
        return None
    options = step["materialized"]
    unknown = set(options) - {"name", "key", "value", "caching", "logging", "retention", "store", "versioned"}
    if unknown:
        raise UnknownName(f"materialized {', '.join(sorted(unknown))}")
    kwargs = given(options, "name", "key", "value", "caching", "logging", "retention", "versioned")
    if "store" in options:
        kwargs["persistent"] = options["store"] == "rocksdb"
    return Materialized(**kwargs)


def store_spec(step: Step) -> StoreSpec:
    """The spec of `add_store` and kin."""
    common: dict[str, Any] = {
        "name": step["store"],
        "key": serde(step["key"]),
        "value": serde(step["value"]),
        "persistent": step.get("persistent", True),
        "caching": step.get("caching", False),
        "logging": step.get("logging", True),
    }
    kind = step["kind"]
    if kind in ("kv", "timestamped_kv"):
        return KeyValueSpec(timestamped=kind == "timestamped_kv", **common)
    if kind == "lru":
        return LruSpec(capacity=step["capacity"], **common)
    if kind == "window":
        duplicates = step.get("duplicates", False)
        return WindowSpec(retention=step["retention"], size=step["size"], retain_duplicates=duplicates, **common)
    if kind == "session":
        return SessionSpec(retention=step["retention"], **common)
    if kind == "versioned":
        return VersionedSpec(history=step["history"], **common)
    raise UnknownName(f"store kind {kind}")


# sources and sinks


def _stream(names: Names, step: Step) -> Any:
    kwargs = given(step, "pattern", "key", "value", "name")
    if "reset" in step:
        kwargs["reset"] = Reset(step["reset"])
    return names.builder.stream(*step.get("topics", ()), extractor=lambdas.extractor(step.get("extractor")), **kwargs)


def _table(names: Names, step: Step) -> Any:
    kwargs = given(step, "key", "value", "name")
    made = names.builder.table if step["op"] == "table" else names.builder.global_table
    return made(step["topic"], materialized(step), extractor=lambdas.extractor(step.get("extractor")), **kwargs)


def _to(names: Names, step: Step) -> None:
    kwargs = given(step, "key", "value", "name")
    if "partitioner" in step:
        kwargs["partitioner"] = named("partitioner", lambdas.PARTITIONERS, step["partitioner"])
    topic = step["topic"] if "topic" in step else named("topic_fn", lambdas.TOPIC_EXTRACTORS, step["topic_fn"])
    names.of(step).to(topic, **kwargs)


def _add_global_store(names: Names, step: Step) -> None:
    kwargs = given(step, "key", "value", "name")
    names.builder.add_global_store(store_spec(step["store"]), step["topic"], supplier(step["processor"]), **kwargs)


# streams and tables


def _by_function(method: str, table: dict[str, Any], kind: str) -> Op:
    def op(names: Names, step: Step) -> Any:
        function = named(kind, table, step["pred"] if "pred" in step else step["fn"])
        subject = names.of(step)
        kwargs = given(step, "name")
        if "materialized" in step:
            kwargs["materialized"] = materialized(step)
        return getattr(subject, method)(function, **kwargs)

    return op


def _calls(names: Names, step: Step) -> Any:
    label, log = step["label"], names.log

    def call(key: Any, value: Any) -> None:
        log(label, key, value)

    return getattr(names.of(step), step["op"])(call, **given(step, "name"))


def _split(names: Names, step: Step) -> None:
    branches = [(named("predicate", lambdas.PREDICATES, one["pred"]), one) for one in step["branches"]]
    if "default" in step:
        branches.append((None, step["default"]))
    made = names.of(step).split(*(Branch(test, one.get("name")) for test, one in branches), **given(step, "name"))
    for (_, one), stream in zip(branches, made.values(), strict=True):
        names.bound[one["let"]] = stream


def _process(names: Names, step: Step) -> Any:
    method = getattr(names.of(step), step["op"])
    return method(supplier(step["processor"]), *step.get("stores", ()), **given(step, "name"))


def _group_by(names: Names, step: Step) -> Any:
    subject = names.of(step)
    is_stream = isinstance(subject, Stream)
    table, kind = (lambdas.SELECTORS, "selector") if is_stream else (lambdas.PAIR_MAPPERS, "pair mapper")
    return subject.group_by(named(kind, table, step["fn"]), **given(step, "name", "key", "value"))


def _to_stream(names: Names, step: Step) -> Any:
    selector = [named("selector", lambdas.SELECTORS, step["fn"])] if "fn" in step else []
    return names.of(step).to_stream(*selector, **given(step, "name"))


# grouping and aggregation


def _cogroup(names: Names, step: Step) -> Any:
    (group, fold), *rest = step["inputs"]
    made = names.bound[group].cogroup(folds.aggregator(fold))
    for group, fold in rest:
        made = made.cogroup(names.bound[group], folds.aggregator(fold))
    return made


def _windowed_by(names: Names, step: Step) -> Any:
    kinds = {
        "tumbling": (Tumbling, ("size", "grace")),
        "hopping": (Hopping, ("size", "advance", "grace")),
        "sliding": (Sliding, ("difference", "grace")),
        "session": (Sessions, ("gap", "grace")),
        "unlimited": (Unlimited, ("start",)),
    }
    window = step["window"]
    if window["type"] not in kinds:
        raise UnknownName(f"window {window['type']}")
    kind, fields = kinds[window["type"]]
    made = kind(**{name: window[name] for name in fields if name in window})
    emits = {"on_close": Emit.ON_CLOSE, "on_update": Emit.ON_UPDATE}
    return names.of(step).windowed_by(made, **({"emit": emits[step["emit"]]} if "emit" in step else {}))


def _folded(step: Step) -> list[Any]:
    """The functions of a reduce or aggregate, in the order the DSL takes them."""
    fold = folds.reducer if step["op"] == "reduce" else folds.aggregator
    found = [fold(step[name]) for name in ("reducer", "aggregator", "adder", "subtractor") if name in step]
    return found + ([folds.merger(step["merger"])] if "merger" in step else [])


def _aggregate(names: Names, step: Step) -> Any:
    start = []
    if step["op"] == "aggregate":
        value = step.get("materialized", {}).get("value", "string")
        start = [lambda: from_json(value, step["init"])]
    method = getattr(names.of(step), step["op"])
    return method(*start, *_folded(step), materialized(step), **given(step, "name"))


def _suppress(names: Names, step: Step) -> Any:
    kwargs = given(step, "max_records", "max_bytes", "logging")
    full = {"emit_early": WhenFull.EMIT_EARLY, "shut_down": WhenFull.SHUT_DOWN}
    if "full" in step:
        kwargs["when_full"] = full[step["full"]]
    buffer = Buffer(**kwargs)
    if step["until"] not in ("window_closes", "time_limit"):
        raise UnknownName(f"suppress until {step['until']}")
    until = UntilWindowCloses(buffer) if step["until"] == "window_closes" else UntilTimeLimit(step["ms"], buffer)
    return names.of(step).suppress(until, **given(step, "name"))


# joins


def _join(names: Names, step: Step) -> Any:
    left, right = names.of(step), names.of(step, "other")
    method = getattr(left, step["op"])
    joiner = folds.joiner(step["joiner"])
    if isinstance(right, GlobalTable):
        selector = named("selector", lambdas.SELECTORS, step["fn"])
        return method(right, joiner, selector=selector, **given(step, "name"))
    if not isinstance(left, Stream):
        foreign = {"foreign_key": named("selector", lambdas.SELECTORS, step["fk"])} if "fk" in step else {}
        return method(right, joiner, materialized(step), **foreign, **given(step, "name"))
    if not isinstance(right, Stream):
        return method(right, joiner, Joined(**given(step, "key", "value", "other_value", "name", "grace")))
    options = given(step, "key", "value", "other_value", "name", "store_name", "logging")
    if "store" in step:
        options["persistent"] = step["store"] != "in_memory"
    window = step["window"]
    windows = JoinWindows(window["before"], window["after"], window.get("grace", 0))
    return method(right, joiner, windows, StreamJoined(**options))


# the Topology API


def _api(op: Op) -> Op:
    def used(names: Names, step: Step) -> Any:
        names.uses_api = True
        return op(names, step)

    return used


def _add_source(names: Names, step: Step) -> None:
    extractor = lambdas.extractor(step.get("extractor"))
    names.api.add_source(step["name"], *step["topics"], extractor=extractor, **given(step, "key", "value"))


def _add_processor(names: Names, step: Step) -> None:
    names.api.add_processor(step["name"], supplier(step["processor"]), *step["parents"])


def _add_sink(names: Names, step: Step) -> None:
    names.api.add_sink(step["name"], step["topic"], *step["parents"], **given(step, "key", "value"))


def _add_read_only_store(names: Names, step: Step) -> None:
    source = SourceNode(step["source"], (step["topic"],), key=serde(step.get("key")), value=serde(step.get("value")))
    names.api.add_read_only_store(store_spec(step["store"]), source, step["name"], supplier(step["processor"]))


OPS: dict[str, Op] = {
    "stream": _stream,
    "table": _table,
    "global_table": _table,
    "to": _to,
    "repartition": lambda names, step: names.of(step).repartition(**given(step, "name", "key", "value", "partitions")),
    "add_store": lambda names, step: names.builder.add_store(store_spec(step)),
    "add_global_store": _add_global_store,
    "filter": _by_function("filter", lambdas.PREDICATES, "predicate"),
    "filter_not": _by_function("filter_not", lambdas.PREDICATES, "predicate"),
    "map": _by_function("map", lambdas.PAIR_MAPPERS, "pair mapper"),
    "map_values": _by_function("map_values", lambdas.VALUE_MAPPERS, "value mapper"),
    "transform_values": _by_function("transform_values", lambdas.VALUE_MAPPERS, "value mapper"),
    "flat_map": _by_function("flat_map", lambdas.FLAT_PAIR_MAPPERS, "flat pair mapper"),
    "flat_map_values": _by_function("flat_map_values", lambdas.FLAT_VALUE_MAPPERS, "flat value mapper"),
    "select_key": _by_function("select_key", lambdas.SELECTORS, "selector"),
    "peek": _calls,
    "foreach": _calls,
    "merge": lambda names, step: names.of(step).merge(names.of(step, "other"), **given(step, "name")),
    "split": _split,
    "to_table": lambda names, step: names.of(step).to_table(materialized(step), **given(step, "name")),
    "process": _process,
    "process_values": _process,
    "group_by_key": lambda names, step: names.of(step).group_by_key(**given(step, "name", "key", "value")),
    "group_by": _group_by,
    "to_stream": _to_stream,
    "cogroup": _cogroup,
    "windowed_by": _windowed_by,
    "count": lambda names, step: names.of(step).count(materialized(step), **given(step, "name")),
    "reduce": _aggregate,
    "aggregate": _aggregate,
    "suppress": _suppress,
    "join": _join,
    "left_join": _join,
    "outer_join": _join,
    "add_source": _api(_add_source),
    "add_processor": _api(_add_processor),
    "add_sink": _api(_add_sink),
    "add_state_store": _api(lambda names, step: names.api.add_store(store_spec(step), *step.get("processors", ()))),
    "connect_stores": _api(lambda names, step: names.api.connect(step["processor"], *step["stores"])),
    "add_read_only_store": _api(_add_read_only_store),
}
