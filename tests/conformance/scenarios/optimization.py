"""Topologies that the optimizer rewrites, each with it off, on and in parts (J6-J8, B17)."""

from collections.abc import Callable, Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, scenario, store
from tests.conformance.scenarios.stream_joins import span

FLAGS = ("none", "all", "merge.repartition.topics", "reuse.ktable.source.topics")
SERDES: Json = {"key": "string", "value": "string", "other_value": "string"}
ROWS = [
    *feed(
        "in",
        ("x", "ab", 1),
        ("y", "ac", 2),
        ("z", None, 3),
        (None, "bb", 4),
        ("x", "b c", 3),
        ("q", "", 6),
        ("y", "ac", 2),
    ),
    *feed("tab", ("a", "T", 2), ("b", "U", 5)),
    *feed("in", ("x", "ab", 8), ("y", "bd", 9)),
    *feed("tab", ("a", None, 7)),
    event("in", "r", "aa", 10, ("h", "1")),
]


def rekeyed(t: Steps) -> str:
    return t("map", t.stream("in"), fn="first_char_to_key")


def two_aggregates(t: Steps) -> None:
    k = rekeyed(t)
    t.emit(t("count", t("group_by_key", k)), "counts", "long")
    t.emit(t("reduce", t("group_by_key", t("filter", k, pred="value_not_null")), reducer="concat"), "reduced")


def named_groupings(t: Steps) -> None:
    k = rekeyed(t)
    t.emit(t("count", t("group_by_key", k, name="first", key="string", value="string")), "counts", "long")
    t.emit(t("reduce", t("group_by_key", k, name="second", key="string", value="string"), reducer="concat"), "reduced")


def aggregate_and_join(t: Steps) -> None:
    """A rekeyed stream counted, aggregated, reduced behind a filter and a peek, and joined with another stream."""
    k = t("map", t.stream("in"), fn="first_char_to_key", name="mapper")
    t("process", k, processor="forward", name="side")
    c = t("count", t("group_by_key", k), materialized={"key": "string", "value": "long"})
    t.emit(c, "counts", "long")
    f = t("filter", k, pred=["value_starts", "a"], name="fa")
    agg = t(
        "aggregate",
        t("group_by_key", f),
        init=0,
        aggregator="length_sum",
        materialized={"key": "string", "value": "long"},
    )
    t.emit(agg, "lengths", "long")
    p = t("peek", t("filter", k, pred="always"), label="peeked")
    t.emit(
        t("reduce", t("group_by_key", p), reducer="concat", materialized={"key": "string", "value": "string"}),
        "reduced",
    )
    g = t("filter", k, pred=["value_longer", 1], name="fb")
    t.to(
        t("join", g, other=t.stream("tab"), joiner="concat", window=span(5), **SERDES, name="j", store_name="js"),
        "joined",
    )


def merged_sources(t: Steps) -> None:
    a = t("map", t.stream("in"), fn="first_char_to_key")
    b = t("map", t.stream("tab"), fn="swap")
    m = t("merge", a, other=b)
    t.emit(t("count", t("group_by_key", m)), "counts", "long")
    s = t("to_stream", t("count", t("group_by_key", t("filter", m, pred="always"))))
    t.to(t("map_values", s, fn="to_string"), "texts")


def through_value_changes(t: Steps) -> None:
    k = rekeyed(t)
    t.emit(t("count", t("group_by_key", t("map_values", k, fn="value_upper"))), "one", "long")
    t.emit(t("count", t("group_by_key", t("flat_map_values", k, fn="chars"))), "two", "long")
    t.emit(t("count", t("group_by_key", t("process_values", k, processor="forward"))), "three", "long")
    t.emit(t("count", t("group_by_key", t("filter", k, pred="always"))), "four", "long")


def through_process(t: Steps) -> None:
    k = rekeyed(t)
    t.emit(t("count", t("group_by_key", t("process", k, processor="forward"))), "one", "long")
    t.emit(t("count", t("group_by_key", t("peek", k, label="p"))), "two", "long")


def two_joins(t: Steps) -> None:
    k, tab = rekeyed(t), t.table("tab", materialized=store("tab"))
    t.to(t("join", k, other=tab, joiner="concat", **SERDES), "inner")
    t.to(t("left_join", t("filter", k, pred="always"), other=tab, joiner="concat", **SERDES), "left")
    t.to(t("join", k, other=t.stream("other"), joiner="concat", window=span(5), **SERDES), "windowed")


def source_tables(t: Steps) -> None:
    a = t.table("tab", materialized=store("a"))
    b = t("table", topic="in", key="string", value="string")
    t.emit(t("join", a, other=b, joiner="concat"), "joined")
    t.emit(t("filter", a, pred=["value_is", "T"], materialized=store("f")), "filtered")
    t.emit(t("left_join", b, other=a, fk="value", joiner="concat"), "foreign")


def explicit_repartition(t: Steps) -> None:
    k = rekeyed(t)
    r = t("repartition", k, name="mine")
    t.emit(t("count", t("group_by_key", r)), "one", "long")
    t.emit(t("count", t("group_by_key", k)), "two", "long")
    t.emit(t("count", t("group_by_key", t("filter", k, pred="always"))), "three", "long")


def two_key_changes(t: Steps) -> None:
    k = rekeyed(t)
    t.emit(t("count", t("group_by_key", k)), "one", "long")
    second = t("select_key", k, fn="value")
    t.emit(t("count", t("group_by_key", second)), "two", "long")
    t.emit(t("reduce", t("group_by_key", t("filter", second, pred="always")), reducer="concat"), "three")


def cogrouped(t: Steps) -> None:
    k = rekeyed(t)
    one, two = t("group_by_key", k), t("group_by_key", t("filter", k, pred="always"))
    t.emit(t("aggregate", t("cogroup", inputs=[[one, "concat"], [two, "concat_key"]]), init=""), "co")
    t.emit(t("count", t("group_by_key", k)), "one", "long")


SHAPES: dict[str, Callable[[Steps], None]] = {
    "two-aggregates": two_aggregates,
    "named-groupings": named_groupings,
    "aggregate-and-join": aggregate_and_join,
    "merged-sources": merged_sources,
    "value-changes": through_value_changes,
    "process": through_process,
    "two-joins": two_joins,
    "source-tables": source_tables,
    "explicit": explicit_repartition,
    "two-key-changes": two_key_changes,
    "cogrouped": cogrouped,
}


def scenarios() -> Iterator[Json]:
    for shape, build in SHAPES.items():
        for flag in FLAGS:
            t = Steps()
            build(t)
            label = flag.split(".")[0]
            topics = {
                topic
                for row in t.rows
                for topic in [*row.get("topics", []), row.get("topic")]
                if row["op"] in ("stream", "table")
            }
            events = [row for row in ROWS if row["topic"] in topics]
            # the two inputs' repartition topics take their name from the one store, so they must be merged
            refused = shape == "cogrouped" and label in ("none", "reuse")
            about = f"{'refused: ' if refused else ''}{shape}, optimization {flag}"
            yield scenario(
                f"{shape}-{label}", "J6 J7 J8 B17 J1", about, t, [] if refused else events, optimization=flag
            )
    for shape in ("value-changes", "process"):
        t = Steps()
        SHAPES[shape](t)
        events = [row for row in ROWS if row["topic"] == "in"]
        about = "with Java's fix that counts process and process_values as value-changing"
        props = {"__enable.process.processValue.fix__": "true"}
        yield scenario(f"{shape}-fixed", "B17 J8", about, t, events, optimization="all", props=props)
    for flag in ("none", "all"):
        t = Steps()
        source_tables(t)
        events = [row for row in ROWS if row["topic"] in ("in", "tab")]
        events = [*events[:6], RESTART, *events[6:]]
        yield scenario(
            f"source-tables-restart-{flag}",
            "J7 L1",
            f"restored from the source topic or a changelog: {flag}",
            t,
            events,
            optimization=flag,
        )
