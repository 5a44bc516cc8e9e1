"""Tables: sources, filters, mappers, materialization, old values, to_table (area E, and B13)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import Json, Steps, event, feed, given, scenario, store

ROWS = feed(
    "in",
    ("a", 1, 10),
    ("a", 5, 12),
    ("b", 2, 5),
    (None, 3, 6),
    ("a", 4, 3),
    ("a", 4, 3),
    ("c", None, 7),
    ("b", None, 4),
    ("b", None, 5),
    ("a", -1, 20),
    ("d", 6, 1),
    ("a", None, 21),
    ("a", 8, 2),
)
VERSIONED = {"name": "src", "key": "string", "value": "long", "versioned": 100}
PARENTS: dict[str, Json | None] = {"bare": None, "stored": store("src", "long"), "versioned": VERSIONED}
OPERATORS: dict[str, tuple[str, Json]] = {
    "filter": ("filter", {"pred": ["value_gt", 2]}),
    "filter-not": ("filter_not", {"pred": "is_even"}),
    "map": ("map_values", {"fn": ["add", 100]}),
    "map-to-null": ("map_values", {"fn": ["null_if", 4]}),
    "transform": ("transform_values", {"fn": ["times", 2]}),
    "transform-null": ("transform_values", {"fn": ["null_to", 77]}),
}


def source(t: Steps, parent: Json | None) -> str:
    return t.table("in", "long", **given(materialized=parent))


def operators() -> Iterator[Json]:
    for name, (op, fields) in OPERATORS.items():
        for parent, materialized in PARENTS.items():
            t = Steps()
            table = source(t, materialized)
            t.emit(t(op, table, **fields), "free", "long")
            t.emit(t(op, table, **fields, materialized=store("kept", "long")), "kept", "long")
            t.emit(t(op, table, **fields, name="mine"), "named", "long")
            t.emit(t(op, table, **fields, materialized={"key": "string", "value": "long"}), "with", "long")
            yield scenario(
                f"{name}-of-{parent}",
                "E1 E2 E3 E4 E5 E6 E7 J2",
                f"{name}, materialized or not, of a {parent} table",
                t,
                ROWS,
            )
            t = Steps()
            table = t(op, source(t, materialized), **fields)
            g = t("group_by", table, fn=["const_key", "all"], key="string", value="long")
            t.emit(
                t("aggregate", g, init=0, adder="sum", subtractor="subtract", materialized=store("sum", "long")),
                "out",
                "long",
            )
            yield scenario(
                f"{name}-old-values-{parent}", "E8 E5 E6 C4", f"old values through {name} of a {parent} table", t, ROWS
            )


def chains() -> Iterator[Json]:
    t = Steps()
    table = source(t, None)
    f = t("filter", table, pred=["value_gt", 1])
    m = t("map_values", f, fn=["times", 3])
    n = t("filter_not", m, pred=["value_is", 12], materialized=store("end", "long"))
    t.emit(n, "out", "long")
    t.emit(t("map_values", n, fn="to_string"), "text")
    yield scenario("chain-stored-at-the-end", "E5 E6 E8", "only the last of three is stored", t, ROWS)
    t = Steps()
    f = t("filter", source(t, None), pred=["value_gt", 1], materialized=store("mid", "long"))
    m = t("filter", t("map_values", f, fn=["add", 1]), pred=["value_gt", 5])
    t.emit(m, "out", "long")
    s = t.stream("clicks")
    t.to(t("join", s, other=m, joiner="concat", key="string", value="string", other_value="long"), "joined")
    events = [
        *ROWS[:5],
        event("clicks", "a", "x", 30),
        *ROWS[5:],
        event("clicks", "a", "y", 31),
        event("clicks", "d", "z", 32),
    ]
    yield scenario("value-getter-chain", "E6 F9", "a join reads through two unstored operators", t, events)
    for materialized in (None, {"key": "string", "value": "string"}, store("made", "string")):
        for name in (None, "tt"):
            t = Steps()
            fields: Json = ({"materialized": materialized} if materialized else {}) | ({"name": name} if name else {})
            table = t("to_table", t.stream("in"), **fields)
            t.emit(t("map_values", table, fn="value_upper"))
            rows = feed("in", ("k", "v", 5), (None, "w", 6), ("k", None, 3), ("j", None, 4), ("k", "x", 2))
            kind = "stored" if materialized and "name" in materialized else "with" if materialized else "bare"
            yield scenario(f"to-table-{kind}-{name}", "B13 E4", f"a stream as a table: {kind}, name {name}", t, rows)
    t = Steps()
    table = t("to_table", t("select_key", t.stream("in"), fn="first_char"))
    t.emit(t("filter", table, pred=["value_longer", 1]))
    rows = feed("in", ("x", "ab", 5), ("y", "ac", 6), ("z", None, 7), ("z", "", 8), ("q", "b", 2))
    yield scenario("to-table-repartitioned", "B13 B14", "a changed key before to_table", t, rows)
    t = Steps()
    t.to(t("to_stream", source(t, None), fn="key_value"), "labels", "long")
    t.emit(t("count", t("group_by_key", t("to_stream", "table0", name="ts"))), "out", "long")
    yield scenario(
        "to-stream-mapper", "E7", "a key mapper sets the repartition flag, a plain to_stream does not", t, ROWS
    )


def materialized_sources() -> Iterator[Json]:
    variants: dict[str, Json | None] = {
        "none": None,
        "with": {"key": "string", "value": "long"},
        "named": store("t", "long"),
        "in-memory": store("t", "long", store="in_memory"),
        "uncached": store("t", "long", caching=False),
        "unlogged": store("t", "long", logging=False),
        "versioned": VERSIONED,
    }
    for name, fields in variants.items():
        for consumed in (True, False):
            if fields is None and not consumed:
                continue
            t = Steps()
            more: Json = {"materialized": fields} if fields else {}
            table = t.table("in", "long", **more) if consumed else t("table", topic="in", **more)
            t.emit(table, "out", "long")
            where = "step" if consumed else "materialized"
            yield scenario(
                f"table-{name}-serdes-of-{where}", "E1 C9 I13", f"materialized: {name}; serdes of the {where}", t, ROWS
            )
    t = Steps()
    t.emit(t.table("in", "long", name="tab"), "out", "long")
    t.emit(t.table("other", "long", name="kept", materialized=store("k", "long")), "out2", "long")
    yield scenario(
        "table-named-nodes", "J2 E1", "Consumed names two nodes of a table", t, [*ROWS[:3], event("other", "x", 3, 4)]
    )
    for optimization in ("none", "all", "reuse.ktable.source.topics"):
        t = Steps()
        table = source(t, store("src", "long"))
        t.emit(t("map_values", table, fn=["add", 1], materialized=store("plus", "long")), "out", "long")
        yield scenario(
            f"table-source-{optimization}",
            "J6 J7 E1",
            f"the source topic as changelog: {optimization}",
            t,
            ROWS,
            optimization=optimization,
        )
    t = Steps()
    t("global_table", topic="glob", key="string", value="string", materialized=store("g"))
    t("global_table", topic="glob2", key="string", value="string", name="named-global")
    t("add_store", store="st", kind="kv", key="string", value="string")
    t.to(t("process_values", t.stream("in"), processor=["lookup", "g"]))
    rows = [
        event("glob", "a", "x", 5),
        event("glob", "a", "y", 2),
        event("glob", None, "n", 3),
        event("in", "a", "?", 1),
        event("glob", "a", None, 4),
    ]
    yield scenario(
        "global-tables",
        "E9 H12",
        "global tables, one read by a processor",
        t,
        [*rows, event("glob2", "b", "z", 5), event("in", "a", "!", 6)],
    )


def scenarios() -> Iterator[Json]:
    yield from operators()
    yield from chains()
    yield from materialized_sources()
