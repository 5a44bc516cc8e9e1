"""Grouping and aggregation of streams and tables, and cogroup (area C)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import Json, Lambda, Steps, event, feed, scenario, store

LONGS = feed(
    "in",
    ("a", 1, 10),
    ("a", 2, 5),
    ("b", 4, 7),
    (None, 1, 8),
    ("a", None, 9),
    ("a", -3, 4),
    ("a", 5, 3),
    ("b", -4, 20),
    ("b", 7, 20),
)
TEXTS = feed(
    "in", ("a", "x", 3), ("b", "y", 1), (None, "n", 2), ("a", None, 4), ("a", "xx", 5), ("b", "q", 0), ("c", "", 6)
)
MATERIALIZED: dict[str, Json | None] = {
    "none": None,
    "unnamed": {"key": "string", "value": "long"},
    "named": store("st", "long"),
    "in-memory": store("st", "long", store="in_memory"),
    "uncached": store("st", "long", caching=False),
    "cached": store("st", "long", caching=True),
    "unlogged": store("st", "long", logging=False),
    "serdes-only-value": {"name": "st", "value": "long"},
}
TABLE_ROWS = feed(
    "in",
    ("k", "ab", 1),
    ("j", "ab", 2),
    ("k", "ac", 3),
    ("k", "bb", 4),
    ("j", None, 2),
    (None, "q", 5),
    ("k", "bb", 6),
    ("m", "", 7),
    ("k", None, 6),
    ("z", None, 8),
    ("m", "ba", 1),
)


OPERATIONS: dict[str, Json] = {
    "count": {},
    "reduce": {"reducer": "sum"},
    "aggregate": {"init": 10, "aggregator": "sum"},
}


def materialized_variants() -> Iterator[Json]:
    for name, fields in MATERIALIZED.items():
        for op in OPERATIONS:
            more = OPERATIONS[op]
            if op == "aggregate" and fields is None:
                continue  # the aggregate would fall to the default serde, which is text
            t = Steps()
            g = t("group_by_key", t.stream("in", "long"))
            t.emit(t(op, g, **more, **({"materialized": fields} if fields else {})), "out", "long")
            yield scenario(f"{op}-{name}", "C2 C9 I12 I13", f"{op}, materialized: {name}", t, LONGS)
    for op in ("count", "aggregate"):
        t = Steps()
        g = t("group_by_key", t.stream("in", "long"))
        more = {"init": 10, "aggregator": "sum", "materialized": store("st", "long")} if op == "aggregate" else {}
        t.emit(t(op, g, name="mine", **more), "out", "long")
        yield scenario(f"{op}-named-node", "C2 J2", f"{op} with a name of its own", t, LONGS)
    t = Steps()
    g = t("group_by_key", t.stream("in", "long"))
    t.emit(t("reduce", g, name="mine", reducer="max", materialized=store("st", "long")), "out", "long")
    yield scenario("reduce-named-node", "C2 J2", "reduce with a name of its own", t, LONGS)
    for kind in ("in_memory", "rocksdb"):
        t = Steps()
        t.emit(t("count", t("group_by_key", t.stream("in"))), "out", "long")
        yield scenario(
            f"count-default-store-{kind}", "I13 C2", "the DSL's default store by configuration", t, TEXTS, store=kind
        )


def functions() -> Iterator[Json]:
    on_longs: list[Lambda] = ["sum", "subtract", "max", "min", "last", "sum_null_zero"]
    on_texts: list[Lambda] = ["concat", "last", "remove_first", "max", "min"]
    for kind, names, rows in (("long", on_longs, LONGS), ("string", on_texts, TEXTS)):
        t = Steps()
        g = t("group_by_key", t.stream("in", kind))
        for at, fn in enumerate([*names, "first"]):
            t.emit(t("reduce", g, reducer=fn), f"out{at}", kind)
        yield scenario(f"reducers-{kind}", "C2 A9 A10", f"every reducer on {kind}", t, rows)
        t = Steps()
        g = t("group_by_key", t.stream("in", kind))
        more: list[Lambda] = (
            ["count", "uncount"] if kind == "long" else ["concat_key", ["concat_sep", ";"], ["concat_reset", "x"]]
        )
        for at, fn in enumerate([*names, *more]):
            init: int | str = 7 if kind == "long" else "i"
            t.emit(t("aggregate", g, init=init, aggregator=fn, materialized=store(f"st{at}", kind)), f"out{at}", kind)
        yield scenario(f"aggregators-{kind}", "C2 A9 A10", f"every aggregator on {kind}", t, rows)
    t = Steps()
    g = t("group_by_key", t.stream("in"))
    t.emit(t("aggregate", g, init=0, aggregator="length_sum", materialized=store("st", "long")), "out", "long")
    yield scenario("aggregate-changes-type", "C2", "text in, long out", t, TEXTS)
    t = Steps()
    g = t("group_by_key", t.stream("in", "double"))
    t.emit(t("reduce", g, reducer="sum"), "out", "double")
    t.emit(t("aggregate", g, init=0.5, aggregator="max", materialized=store("st", "double")), "out2", "double")
    yield scenario(
        "doubles", "C2", "sums of doubles", t, feed("in", ("a", 0.1, 1), ("a", 0.2, 2), ("b", -1.0, 3), ("b", None, 4))
    )
    t = Steps()
    g = t("group_by_key", t.stream("in", "integer", "integer"))
    t.emit(t("reduce", g, reducer="sum"), "out", "integer", "integer")
    yield scenario(
        "integer-keys",
        "C2",
        "integers as keys: the store's order is that of the bytes",
        t,
        feed("in", (5, 1, 1), (-1, 2, 2), (5, 3, 3), (None, 1, 4)),
    )


def groupings() -> Iterator[Json]:
    variants: dict[str, Json] = {
        "bare": {},
        "named": {"name": "g", "key": "string", "value": "string"},
        "serdes": {"key": "string", "value": "string"},
        "name-only": {"name": "g"},
    }
    for name, fields in variants.items():
        t = Steps()
        g = t("group_by", t.stream("in"), fn="value", **fields)
        t.emit(t("count", g, materialized=store("c", "long")), "counts", "long")
        t.emit(t("reduce", g, reducer="concat"), "glued")
        yield scenario(f"group-by-{name}", "C1 B14 J2", f"one grouping, two aggregates; grouped: {name}", t, TEXTS)
        t = Steps()
        g = t("group_by_key", t("select_key", t.stream("in"), fn="first_char"), **fields)
        t.emit(t("aggregate", g, init="", aggregator="concat_key", materialized=store("a")))
        t.emit(t("count", g), "counts", "long")
        yield scenario(f"group-by-key-{name}", "C1 J2", f"a changed key; grouped: {name}", t, TEXTS)
    for fn in ("key", "first_char", "key_value", ["null_if_value", "x"], ["const", "all"]):
        t = Steps()
        t.emit(t("count", t("group_by", t.stream("in"), fn=fn)), "out", "long")
        label = fn if isinstance(fn, str) else fn[0]
        yield scenario(f"group-by-selector-{label}", "C1 B14", "null keys are filtered out before the topic", t, TEXTS)
    t = Steps()
    s = t.stream("in")
    t.emit(t("count", t("group_by_key", s)), "c1", "long")
    t.emit(t("count", t("group_by_key", t("filter", s, pred=["value_starts", "x"]))), "c2", "long")
    t.emit(t("count", t("group_by", t("map_values", s, fn="value_upper"), fn="value")), "c3", "long")
    yield scenario("three-counts", "C1 C2 H4", "three aggregates in one task, order of their rows", t, TEXTS)
    t = Steps()
    c = t("count", t("group_by", t.stream("in"), fn="value"), materialized=store("first", "long"))
    d = t(
        "count",
        t("group_by", t("to_stream", c), fn=["value_mod", 2], key="string", value="long"),
        materialized=store("second", "long"),
    )
    t.emit(d, "out", "long")
    yield scenario("count-of-counts", "C1 C2 A9", "an aggregate behind another one's repartition", t, TEXTS)


def tables() -> Iterator[Json]:
    for mapper in ("value_to_key", "first_char_to_key", ["const_key", "all"], "identity", "swap", "null_key"):
        label = mapper if isinstance(mapper, str) else mapper[0]
        t = Steps()
        g = t("group_by", t.table("in"), fn=mapper, key="string", value="string")
        t.emit(t("count", g), "counts", "long")
        t.emit(t("reduce", g, adder="concat", subtractor="remove_first"), "reduced")
        aggregate = t(
            "aggregate", g, init="i", adder=["concat_sep", "."], subtractor="remove_first", materialized=store("agg")
        )
        t.emit(aggregate, "aggregated")
        yield scenario(
            f"table-group-by-{label}", "C4 C5 C6 E8", "subtract the old, add the new; moves between keys", t, TABLE_ROWS
        )
    variants: dict[str, Json] = {
        "bare": {},
        "named": {"name": "tg"},
        "serdes": {"name": "tg", "key": "string", "value": "string"},
    }
    for name, fields in variants.items():
        t = Steps()
        g = t("group_by", t.table("in"), fn="first_char_to_key", **fields)
        t.emit(t("count", g, name="cnt", materialized=store("st", "long")), "counts", "long")
        t.emit(t("count", g, materialized={"key": "string", "value": "long"}), "again", "long")
        yield scenario(f"table-count-{name}", "C4 C6 J2", f"grouped: {name}", t, TABLE_ROWS)
    t = Steps()
    g = t("group_by", t.table("in", "long"), fn=["mod_to_key", 2], key="string", value="long")
    t.emit(t("reduce", g, adder="sum", subtractor="subtract", materialized=store("sum", "long")), "sums", "long")
    t.emit(t("reduce", g, adder="sum_null_zero", subtractor="subtract"), "null-sums", "long")
    t.emit(t("aggregate", g, init=0, adder="count", subtractor="uncount", materialized=store("n", "long")), "n", "long")
    t.emit(
        t("aggregate", g, init=0, adder="sum_null_zero", subtractor="subtract", materialized=store("z", "long")),
        "z",
        "long",
    )
    rows = feed(
        "in",
        ("a", 2, 1),
        ("b", 4, 5),
        ("a", 3, 3),
        ("b", -4, 4),
        ("c", 4, 2),
        ("a", None, 6),
        ("b", None, 1),
        ("c", 5, 9),
        ("x", None, 9),
    )
    yield scenario("table-sums", "C4 C6 A9 A10", "sums that fall to nothing", t, rows)
    t = Steps()
    f = t("filter", t.table("in"), pred=["value_longer", 1])
    g = t("group_by", t("map_values", f, fn="value_upper"), fn="first_char_to_key")
    t.emit(t("count", g), "out", "long")
    yield scenario("table-chain-count", "C4 E5 E6 E8", "old values through a filter and a mapper", t, TABLE_ROWS)
    t = Steps()
    g = t(
        "group_by",
        t.table("in", materialized={"name": "v", "key": "string", "value": "string", "versioned": 100}),
        fn="value_to_key",
    )
    t.emit(t("count", g), "out", "long")
    yield scenario(
        "table-versioned-count", "F15 I6 C4", "changes that are not the latest leave an aggregate alone", t, TABLE_ROWS
    )


def cogroups() -> Iterator[Json]:
    rows = [
        *feed("in1", ("k", "x", 1)),
        *feed("in2", ("z", "k", 2)),
        *feed("in1", ("k", "y", 5)),
        *feed("in2", ("q", "j", 3)),
        *feed("in1", (None, "n", 4), ("k", None, 6)),
        *feed("in2", ("k", "xx", 30)),
        *feed("in1", ("k", "zz", 12), ("j", "q", 13)),
    ]
    windows: dict[str, Json | None] = {
        "plain": None,
        "tumbling": {"type": "tumbling", "size": 10, "grace": 5},
        "hopping": {"type": "hopping", "size": 10, "advance": 5},
        "sliding": {"type": "sliding", "difference": 10, "grace": 20},
        "session": {"type": "session", "gap": 5, "grace": 5},
    }
    for name, window in windows.items():
        for variant in ("store", "named", "rekeyed"):
            t = Steps()
            one, two = t("group_by_key", t.stream("in1")), t.stream("in2")
            two = t("group_by", two, fn="value") if variant == "rekeyed" else t("group_by_key", two)
            c = t("cogroup", inputs=[[one, "concat"], [two, "concat_key"]])
            w = t("windowed_by", c, window=window) if window else c
            fields: Json = {"init": "", "materialized": store("co")} | ({"name": "cg"} if variant == "named" else {})
            a = t("aggregate", w, **fields, **({"merger": "concat"} if name == "session" else {}))
            if window:
                t.label(a)
            else:
                t.emit(a)
            yield scenario(f"cogroup-{name}-{variant}", "C8", "two inputs, two aggregators, one store", t, rows)
    t = Steps()
    gs = [t("group_by_key", t.stream(f"in{at}")) for at in range(3)]
    c = t("cogroup", inputs=[[gs[0], "concat"], [gs[1], ["concat_reset", "x"]], [gs[2], "remove_first"]])
    t.emit(t("aggregate", c, init="0"))
    rows = [event(f"in{at % 3}", "k" if at % 4 else "j", "xyz"[at % 3 : at % 3 + 1 + at % 2], at) for at in range(12)]
    yield scenario("cogroup-three", "C8 A10", "three inputs; one of them deletes", t, rows)


def scenarios() -> Iterator[Json]:
    yield from materialized_variants()
    yield from functions()
    yield from groupings()
    yield from tables()
    yield from cogroups()
