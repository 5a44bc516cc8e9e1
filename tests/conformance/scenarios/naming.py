"""Generated and given names, internal topics, sub-topologies and what is refused (J1-J5, J12)."""

from collections.abc import Callable, Iterator

from tests.conformance.scenarios.build import Json, Steps, event, feed, scenario, store
from tests.conformance.scenarios.stream_joins import span

ONE = feed("in", ("k", "apple", 1))
EXPLICIT = {"ensure.explicit.internal.resource.naming": "true"}
CHAIN: dict[str, Json] = {
    "filter": {"pred": "always"},
    "filter_not": {"pred": "never"},
    "map": {"fn": "identity"},
    "map_values": {"fn": "value_upper"},
    "flat_map": {"fn": "twice"},
    "flat_map_values": {"fn": "chars"},
    "select_key": {"fn": "value"},
    "peek": {"label": "p"},
    "process": {"processor": "forward"},
    "process_values": {"processor": "forward"},
    "repartition": {},
    "to_table": {},
}
WINDOW: Json = {"type": "tumbling", "size": 10}


def chains() -> Iterator[Json]:
    """Every operator with and without a name: a name burns the index or does not."""
    for op, fields in CHAIN.items():
        for name in (None, "mine"):
            t = Steps()
            x = t(op, t.stream("in"), **fields, **({"name": name} if name else {}))
            s = t("to_stream", x) if op == "to_table" else x
            t.to(t("map_values", s, fn="identity"))
            t.emit(t("count", t("group_by_key", s)), "counts", "long")
            yield scenario(f"{op}-{name or 'generated'}", "J1 J2", f"numbers behind a {op}, name: {name}", t, ONE)
    for named in (True, False):
        t = Steps()
        s = t.stream("in", **({"name": "src"} if named else {}))
        t(
            "split",
            s,
            branches=[{"pred": "never", "let": "a"}, {"pred": "always", "let": "b"}],
            default={"let": "c"},
            **({"name": "sp"} if named else {}),
        )
        t("foreach", "a", label="x", **({"name": "fe"} if named else {}))
        m = t("merge", "b", other="c", **({"name": "mg"} if named else {}))
        t.to(m, **({"name": "snk"} if named else {}))
        yield scenario(
            f"split-merge-{'named' if named else 'generated'}", "J1 J2 B8 B7", "branches, merge, foreach, sink", t, ONE
        )


def groupings() -> Iterator[Json]:
    """One changed key under every kind of grouping, its name given, generated, shared or doubled."""
    shapes: dict[str, Callable[[Steps, str], str]] = {
        "count": lambda t, g: t("count", g),
        "count-with": lambda t, g: t("count", g, materialized={"key": "string", "value": "long"}),
        "count-named": lambda t, g: t("count", g, name="cn", materialized=store("cs", "long")),
        "reduce": lambda t, g: t("reduce", g, reducer="concat"),
        "aggregate": lambda t, g: t("aggregate", g, init="", aggregator="concat"),
        "tumbling": lambda t, g: t("count", t("windowed_by", g, window=WINDOW)),
        "tumbling-with": lambda t, g: t(
            "count", t("windowed_by", g, window=WINDOW), materialized={"key": "string", "value": "long"}
        ),
        "sliding": lambda t, g: t("count", t("windowed_by", g, window={"type": "sliding", "difference": 10})),
        "sliding-with": lambda t, g: t(
            "count",
            t("windowed_by", g, window={"type": "sliding", "difference": 10}),
            materialized={"key": "string", "value": "long"},
        ),
        "session": lambda t, g: t("count", t("windowed_by", g, window={"type": "session", "gap": 10})),
        "session-with": lambda t, g: t(
            "count",
            t("windowed_by", g, window={"type": "session", "gap": 10}),
            materialized={"key": "string", "value": "long"},
        ),
        "session-reduce": lambda t, g: t(
            "reduce", t("windowed_by", g, window={"type": "session", "gap": 10}), reducer="concat"
        ),
    }
    for shape, build in shapes.items():
        for name in (None, "grp"):
            for op, fields in (("group_by_key", {}), ("group_by", {"fn": "value"})):
                t = Steps()
                s = t("select_key", t.stream("in"), fn="value")
                grouped: Json = {"name": name, "key": "string", "value": "string"} if name else {}
                result = build(t, t(op, s, **fields, **grouped))
                t("foreach", t("to_stream", result), label="seen")
                yield scenario(
                    f"{op}-{shape}-{name or 'generated'}", "J1 J2 C1", f"{op}, {shape}, Grouped: {name}", t, ONE
                )
    for optimization in ("none", "all"):
        t = Steps()
        g = t("group_by_key", t("select_key", t.stream("in"), fn="value"), name="grp", key="string", value="string")
        t.emit(t("count", g), "one", "long")
        t.label(t("count", t("windowed_by", g, window=WINDOW)), "two", "long")
        yield scenario(
            f"shared-grouping-{optimization}",
            "J1 J8",
            "one named grouping, two aggregates",
            t,
            ONE,
            optimization=optimization,
        )
        t = Steps()
        s = t("select_key", t.stream("in"), fn="value")
        for at in ("one", "two"):
            g = t("group_by_key", s, name="grp", key="string", value="string")
            t.emit(t("count", g), at, "long")
        about = (
            "refused: one name for two repartition topics"
            if optimization == "none"
            else "one name for two that are merged"
        )
        yield scenario(
            f"doubled-grouping-{optimization}",
            "J1 J8 J12",
            about,
            t,
            ONE if optimization == "all" else [],
            optimization=optimization,
        )


def explicit() -> Iterator[Json]:
    cases: dict[str, Callable[[Steps], None]] = {
        "store": lambda t: t.emit(t("count", t("group_by_key", t.stream("in"))), "out", "long"),
        "repartition": lambda t: t.emit(
            t("count", t("group_by", t.stream("in"), fn="value"), materialized=store("c", "long")), "out", "long"
        ),
        "join": lambda t: t.to(
            t(
                "join",
                t.stream("in"),
                other=t.stream("other"),
                joiner="concat",
                window=span(5),
                key="string",
                value="string",
                other_value="string",
            )
        ),
        "table": lambda t: t.emit(t.table("in")),
        "all-named": lambda t: t.emit(
            t(
                "count",
                t("group_by", t.stream("in"), fn="value", name="g", key="string", value="string"),
                materialized=store("c", "long"),
            ),
            "out",
            "long",
        ),
        "stateless": lambda t: t.to(t("map_values", t.stream("in"), fn="value_upper")),
    }
    for name, build in cases.items():
        t = Steps()
        build(t)
        refused = name in ("store", "join", "table")
        about = f"{'refused: ' if refused else ''}names must be explicit: {name}"
        yield scenario(f"explicit-{name}", "J3", about, t, [] if refused else ONE, props=EXPLICIT)


def subtopologies() -> Iterator[Json]:
    t = Steps()
    for at in range(3):
        t.to(t("map_values", t.stream(f"in{at}"), fn="identity"), f"out{at}")
    yield scenario("three-apart", "J4 J5", "three sub-topologies", t, [event("in1", "k", "v", 1)])
    t = Steps()
    a, b = t.stream("in0"), t.stream("in1")
    t.to(t("repartition", b, name="r"), "out1")
    t.emit(t("count", t("group_by_key", a)), "out0", "long")
    t.to(t("join", a, other=t.table("tab"), joiner="concat"), "joined")
    yield scenario("cut-by-repartition", "J4 J5", "a repartition cuts, a join glues", t, [event("in1", "k", "v", 1)])
    for first in (True, False):
        t = Steps()
        if first:
            t("global_table", topic="glob", key="string", value="string")
        t.to(t.stream("in"))
        if not first:
            t("global_table", topic="glob", key="string", value="string", materialized=store("g"))
        t.to(t.stream("in2"), "out2")
        yield scenario(
            f"global-{'first' if first else 'between'}", "J4 J5 E9", "a global store takes a number too", t, ONE
        )
    t = Steps()
    t("add_store", store="shared", kind="kv", key="string", value="string")
    for at in range(2):
        t("process", t.stream(f"in{at}"), processor=["store_put", "shared"], stores=["shared"])
    yield scenario("glued-by-store", "J4 H1", "a shared store makes one of two", t, [event("in1", "k", "v", 1)])
    t = Steps()
    s = t("stream", pattern="x.*", key="string", value="string")
    t.emit(t("count", t("group_by_key", t("merge", s, other=t.stream("in")))), "out", "long")
    yield scenario("pattern-and-topic", "J4 J5 B1", "a pattern and a topic in one sub-topology", t, ONE)
    t = Steps()
    t.emit(t("count", t("group_by", t.stream("in"), fn="value")), "out", "long")
    props = {"__internal.override.topic.prefix__": "other"}
    yield scenario(
        "topic-prefix", "J11", "internal topics under another name than the application's", t, ONE, props=props
    )


def refused() -> Iterator[Json]:
    t = Steps()
    t("add_store", store="x", kind="kv", key="string", value="string")
    t("count", t("group_by_key", t.stream("in")), materialized=store("x", "long"))
    yield scenario("refused-store-twice", "J12", "refused: two stores of one name", t, [])
    t = Steps()
    t.to(t("filter", t("filter", t.stream("in"), pred="always", name="n"), pred="always", name="n"))
    yield scenario("refused-node-twice", "J12 J2", "refused: two nodes of one name", t, [])
    t = Steps()
    s = t.stream("in")
    t.to(s, "a", name="s")
    t.to(s, "b", name="s")
    yield scenario("refused-sink-twice", "J12 J2", "refused: two sinks of one name", t, [])
    t = Steps()
    t.to(t("filter", t.stream("in"), pred="always", name="not a name!"))
    yield scenario("refused-bad-name", "J12 J2", "refused: characters no topic may have", t, [])
    t = Steps()
    t.emit(t("count", t("group_by_key", t.stream("in")), materialized=store("a b", "long")), "out", "long")
    yield scenario(
        "refused-bad-store-name", "J12 J2", "refused: characters no topic may have, in a store's name", t, []
    )
    t = Steps()
    t.to(t("process", t.stream("in"), processor="forward", stores=["nope"]))
    yield scenario("refused-unknown-store", "J12 H12", "refused: a store that was never added", t, [])
    t = Steps()
    s = t.stream("in")
    t.to(t("repartition", s, name="r"), "a")
    t.to(t("repartition", s, name="r"), "b")
    yield scenario("refused-repartition-twice", "J12 B9", "refused: two repartition topics of one name", t, [])


def scenarios() -> Iterator[Json]:
    yield from chains()
    yield from groupings()
    yield from explicit()
    yield from subtopologies()
    yield from refused()
