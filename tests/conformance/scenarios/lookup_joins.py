"""Joins of a stream with a table, a versioned table, with grace, and with a global table (F9-F12)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, given, scenario, store
from tests.conformance.scenarios.stream_joins import LEFT, RIGHT, STEPS

NULLS = [
    *STEPS[:12],
    event(RIGHT, "k", "d", 14),
    event(LEFT, "k", "D", 15),
    event(LEFT, None, "E", 16),
    event(RIGHT, None, "e", 17),
    event(LEFT, "x", "F", 18, ("h", "1")),
    event(LEFT, None, None, 19),
]
KINDS = {"inner": "join", "left": "left_join"}
SERDES: Json = {"key": "string", "value": "string", "other_value": "string"}
GRACE = [
    *feed("tab", ("a", "1", 0), ("b", "1", 2), ("a", "2", 10)),
    *feed("in", ("a", "s1", 5), ("b", "s2", 11), ("a", "s3", 12), (None, "n", 12)),
    *feed("tab", ("a", "3", 12), ("a", "old", 4), ("c", "1", 3)),
    *feed("in", ("c", "s4", 17), ("a", "s5", 12), ("a", "s6", 9), ("a", None, 18)),
    *feed("tab", ("a", None, 16), ("b", "2", 30)),
    *feed("in", ("b", "s7", 30), ("a", "s8", 30), ("a", "s8", 30), ("c", "s9", 36)),
    *feed("in", ("a", "far", 200), ("a", "late", 100), ("b", "end", 500), ("b", "end", 506)),
]


def tables() -> Iterator[Json]:
    for name, op in KINDS.items():
        for versioned in (False, True):
            t = Steps()
            table = t.table(RIGHT, **given(materialized=store("v", versioned=100) if versioned else None))
            t.to(t(op, t.stream(LEFT), other=table, joiner="concat", **SERDES))
            label = f"{name}-{'versioned' if versioned else 'plain'}"
            yield scenario(f"{label}-nulls", "F9 F10", "nulls on both sides, null keys", t, NULLS)
            t = Steps()
            table = t.table(RIGHT, **given(materialized=store("v", versioned=100) if versioned else None))
            t.to(t(op, t.stream(LEFT), other=table, joiner="with_key"))
            yield scenario(f"{label}-steps", "F9 F10", "23 steps with out-of-order rows on both sides", t, STEPS)
            t = Steps()
            table = t.table(RIGHT, **given(materialized=store("v", versioned=5) if versioned else None))
            t.to(t(op, t("map", t.stream(LEFT), fn="identity"), other=table, joiner="concat", **SERDES))
            yield scenario(
                f"{label}-repartitioned",
                "F9 B14",
                "the stream behind a repartition; null keys by kind of join",
                t,
                NULLS,
            )
        variants: dict[str, Json] = {
            "named": {"name": "j"},
            "named-serdes": {"name": "j"} | SERDES,
            "key-only": {"key": "string"},
        }
        for label, fields in variants.items():
            for op_before in ("none", "map"):
                t = Steps()
                s = t.stream(LEFT)
                s = t("map", s, fn="identity") if op_before == "map" else s
                t.to(t(op, s, other=t.table(RIGHT), joiner="concat", **fields))
                yield scenario(
                    f"{name}-{label}-{op_before}", "F9 J2", f"Joined: {label}; before it: {op_before}", t, STEPS[:8]
                )
        t = Steps()
        filtered = t("filter", t("map_values", t.table(RIGHT), fn="value_upper"), pred=["value_is", "B"])
        t.to(t(op, t.stream(LEFT), other=filtered, joiner="concat"))
        yield scenario(f"{name}-unstored-table", "F9 E6", "a table that is computed on reading", t, STEPS)
        t = Steps()
        counts = t("count", t("group_by_key", t.stream(RIGHT)))
        t.to(t(op, t.stream(LEFT), other=counts, joiner="concat", key="string", value="string", other_value="long"))
        yield scenario(f"{name}-counts", "F9 C2", "an aggregate as the table", t, STEPS)
        t = Steps()
        s = t.stream("in")
        t.to(t(op, s, other=t("to_table", s), joiner="concat"))
        yield scenario(
            f"{name}-own-table",
            "F9 H4",
            "a stream with the table made of it",
            t,
            feed("in", ("a", "x", 1), ("a", "y", 2), ("a", None, 3)),
        )


def grace() -> Iterator[Json]:
    for name, op in KINDS.items():
        for millis in (0, 2, 5, 50):
            for history in (50, 1000):
                t = Steps()
                table = t.table("tab", materialized=store("tab", versioned=history))
                t.to(t(op, t.stream("in"), other=table, joiner="concat", **SERDES, grace=millis, name="gj"))
                rows = [row for row in GRACE if row["key"] is not None] if name == "left" else GRACE
                yield scenario(
                    f"{name}-grace-{millis}-{history}", "F11 F10 I9", f"grace {millis}, history {history}", t, rows
                )
    t = Steps()
    t.to(t("join", t.stream("in"), other=t.table("tab"), joiner="concat", **SERDES, grace=5))
    yield scenario("grace-unversioned", "F11 J12", "refused: grace needs a versioned table", t, [])
    t = Steps()
    table = t.table("tab", materialized=store("tab", versioned=4))
    t.to(t("join", t.stream("in"), other=table, joiner="concat", **SERDES, grace=5))
    yield scenario("grace-above-history", "F11 J12", "refused: grace beyond the history", t, [])
    t = Steps()
    table = t.table("tab", materialized=store("tab", versioned=1000))
    t.to(t("join", t("map", t.stream("in"), fn="identity"), other=table, joiner="with_key", **SERDES, grace=5))
    yield scenario("grace-repartitioned", "F11 B14", "behind a repartition, the joiner sees the key", t, GRACE)


def globals_() -> Iterator[Json]:
    rows = [
        *feed("glob", ("x", "GX", 5), ("y", "GY", 1), (None, "n", 2)),
        *feed("in", ("a", "x|1", 3), ("b", "z|2", 4), (None, "y|3", 5), ("c", "none", 6)),
        *feed("in", ("d", None, 7), (None, None, 8)),
        *feed("glob", ("x", None, 0), ("z", "GZ", 9)),
        *feed("in", ("a", "x|4", 9), ("b", "z|5", 1)),
    ]
    for name, op in KINDS.items():
        for fn in ("fk", "key", "value"):
            for joiner in ("concat", "with_key"):
                t = Steps()
                g = t("global_table", topic="glob", key="string", value="string", materialized=store("g"))
                t.to(t(op, t.stream("in"), other=g, fn=fn, joiner=joiner))
                yield scenario(f"global-{name}-{fn}-{joiner}", "F12 E9", f"mapped by {fn}, joiner {joiner}", t, rows)
        t = Steps()
        g = t("global_table", topic="glob", key="string", value="string")
        t.to(t(op, t.stream("in"), other=g, fn="fk", joiner="concat", name="gj"))
        t.emit(t("count", t("group_by_key", t("select_key", t.stream("in2"), fn="value"))), "counts", "long")
        yield scenario(
            f"global-{name}-named", "F12 J2 J4", "a named join; the global store takes a sub-topology number", t, rows
        )
        t = Steps()
        g = t("global_table", topic="glob", key="string", value="string", materialized=store("g", store="in_memory"))
        t.to(t("map_values", t.stream("feed"), fn="value_upper"), "glob")
        t.to(t(op, t("map", t.stream("in"), fn="identity"), other=g, fn="fk", joiner="concat"))
        events = [
            *feed("feed", ("x", "gx", 1)),
            *feed("in", ("a", "x|1", 2)),
            *feed("feed", ("x", None, 3)),
            *feed("in", ("a", "x|2", 4)),
        ]
        yield scenario(
            f"global-{name}-fed-by-app", "F12 P2", "no repartition; a sink feeds the global topic", t, events
        )
        t = Steps()
        g = t("global_table", topic="glob", key="string", value="string", materialized=store("g"))
        t.to(t(op, t.stream("in"), other=g, fn="fk", joiner="concat"))
        keyed = [row for row in rows if not (row["topic"] == "glob" and row["key"] is None)]
        yield scenario(
            f"global-{name}-restart", "F12 L1", "global rows survive a restart", t, [*keyed[:4], RESTART, *keyed[4:]]
        )


def scenarios() -> Iterator[Json]:
    yield from tables()
    yield from grace()
    yield from globals_()
