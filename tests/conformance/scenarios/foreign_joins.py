"""Joins of tables by foreign key (F16-F18)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, prefixed, scenario, store

KINDS = {"inner": "join", "left": "left_join"}
LONG = [
    *feed("right", ("f", "R1", 3)),
    *feed("left", ("a", "f|1", 1), ("b", "f|2", 5), ("c", "g|1", 2), ("d", "none", 2)),
    *feed("right", ("g", "R2", 1), ("f", "R3", 4)),
    *feed("left", ("a", "g|2", 6), ("b", "f|2", 7), ("a", "g|2", 5)),
    *feed("right", ("f", None, 8), ("h", "R4", 9), ("f", None, 2)),
    *feed("left", ("c", "h|1", 0), ("d", "h|3", 3), ("d", None, 4), ("x", None, 4)),
    *feed("left", ("b", "none", 9), ("b", "g|9", 1), (None, "f|0", 2)),
    *feed("right", (None, "n", 3), ("g", "R2", 1), ("g", "R5", 20)),
    *feed("left", ("a", None, 30), ("c", None, 30), ("b", None, 0)),
    *feed("right", ("g", None, 31), ("g", "R6", 32)),
]
CASES: dict[str, list[Json]] = {
    "left-first": [*feed("left", ("a", "f|1", 1), ("b", "f|2", 2)), *feed("right", ("f", "R", 0))],
    "right-first": [*feed("right", ("f", "R", 9)), *feed("left", ("a", "f|1", 1), ("b", "f|2", 12))],
    "change-key": [
        *feed("right", ("f", "R", 1), ("g", "Q", 2)),
        *feed("left", ("a", "f|1", 3), ("a", "g|1", 4), ("a", "f|1", 5)),
    ],
    "change-to-absent": [
        *feed("right", ("f", "R", 1)),
        *feed("left", ("a", "f|1", 3), ("a", "x|1", 4), ("a", "y|1", 5), ("a", "f|2", 6)),
    ],
    "change-to-null": [
        *feed("right", ("f", "R", 1)),
        *feed("left", ("a", "f|1", 3), ("a", "1", 4), ("a", "2", 5), ("a", "f|2", 6)),
    ],
    "same-value-again": [
        *feed("right", ("f", "R", 1)),
        *feed("left", ("a", "f|1", 3), ("a", "f|1", 3), ("a", "f|1", 1)),
    ],
    "delete-left": [
        *feed("right", ("f", "R", 1)),
        *feed("left", ("a", "f|1", 3), ("a", None, 4), ("a", None, 5), ("a", "f|3", 2)),
    ],
    "delete-left-unmatched": [
        *feed("left", ("a", "f|1", 3), ("a", None, 4), ("b", None, 5)),
        *feed("right", ("f", "R", 9)),
    ],
    "delete-right": [
        *feed("left", ("a", "f|1", 3), ("b", "f|2", 4)),
        *feed("right", ("f", "R", 1), ("f", None, 5), ("f", None, 6), ("f", "S", 2)),
    ],
    "right-never-joined": feed("right", ("f", "R", 1), ("f", None, 2), ("g", None, 3)),
    "prefix-keys": [
        *feed("left", ("a", "f|1", 1), ("b", "ff|2", 2), ("c", "|3", 3)),
        *feed("right", ("f", "R", 4), ("ff", "S", 5), ("", "E", 6)),
    ],
    "headers": [
        event("right", "f", "R", 1, ("r", "1")),
        event("left", "a", "f|1", 2, ("l", "1")),
        event("right", "f", "S", 3, ("r", "2")),
    ],
}


def joined(t: Steps, op: str, **fields: object) -> str:
    a, b = t.table("left"), t.table("right")
    return t(op, a, other=b, **({"fk": "fk", "joiner": "concat"} | fields))


def cases() -> Iterator[Json]:
    for name, op in KINDS.items():
        for case, events in (CASES | {"long": LONG}).items():
            for stored in (True, False):
                t = Steps()
                t.emit(joined(t, op, **({"materialized": store("res")} if stored else {})))
                label = "stored" if stored else "bare"
                yield scenario(
                    f"{name}-{case}-{label}",
                    "F16 F17 F18",
                    f"{name} foreign-key join: {case}, result {label}",
                    t,
                    events,
                )


def variants() -> Iterator[Json]:
    options: dict[str, Json] = {
        "named": {"name": "fkj"},
        "with": {"materialized": {"key": "string", "value": "string"}},
        "named-stored": {"name": "fkj", "materialized": store("res")},
        "in-memory": {"materialized": store("res", store="in_memory")},
        "by-value": {"fk": "value"},
        "by-key": {"fk": "key"},
        "null-result": {"joiner": ["null_if_right", "R2"]},
        "left-only": {"joiner": "left"},
        "right-only": {"joiner": "right"},
        "key-and-value": {"fk": "key_value"},
    }
    for name, op in KINDS.items():
        for option, fields in options.items():
            t = Steps()
            t.emit(joined(t, op, **fields))
            yield scenario(f"{name}-{option}", "F16 J1 J2", f"{name}: {option}", t, LONG)
        t = Steps()
        j = joined(t, op)
        g = t("group_by", j, fn=["const_key", "all"], key="string", value="string")
        t.emit(
            t("aggregate", g, init="", adder=["concat_sep", ","], subtractor="remove_first", materialized=store("agg"))
        )
        yield scenario(f"{name}-old-values", "E8 F16", "an aggregate behind a foreign-key join", t, LONG)
        t = Steps()
        a = t.table("left", materialized=store("lv", versioned=10))
        b = t.table("right", materialized=store("rv", versioned=10))
        t.emit(t(op, a, other=b, fk="fk", joiner="concat"))
        yield scenario(f"{name}-versioned", "F15 F16 I6", "versioned on both sides", t, LONG)
        t = Steps()
        a = t("filter", t.table("left"), pred=["value_longer", 2])
        b = t("map_values", t.table("right"), fn=["append", "!"])
        t.emit(t(op, a, other=b, fk="fk", joiner="concat"))
        yield scenario(f"{name}-of-unstored", "E6 F16", "sides that are computed on reading", t, LONG)
        t = Steps()
        a = t.table("left")
        t.emit(t(op, a, other=a, fk="fk", joiner="concat"))
        rows = feed(
            "left", ("a", "b|1", 1), ("b", "a|2", 2), ("c", "c|3", 3), ("a", "c|4", 4), ("c", None, 5), ("b", None, 6)
        )
        yield scenario(f"{name}-self", "F16 F17", "a table with itself: a tree of parents", t, rows)
        t = Steps()
        j = joined(t, op)
        t.emit(t(op, j, other="table0", joiner="concat"))
        yield scenario(f"{name}-then-by-key", "F16 F13 J1", "the result joined with its left side by key", t, LONG[:14])
        for at in (5, 12, 20):
            t = Steps()
            t.emit(joined(t, op, materialized=store("res")))
            yield scenario(
                f"{name}-restart-{at}",
                "F16 L1",
                "subscriptions survive a restart",
                t,
                [*LONG[:at], RESTART, *LONG[at:]],
            )
    t = Steps()
    a, b = t.table("left", "long", "integer"), t.table("right", "string")
    t.emit(
        t("join", a, other=b, fk=["value_mod", 3], joiner="concat", materialized=store("res", key="integer")),
        "out",
        key="integer",
    )
    rows = [
        *feed("left", (1, 4, 1), (2, 5, 2), (3, 6, 3)),
        *feed("right", ("1", "one", 4), ("0", "zero", 5)),
        *feed("left", (1, 9, 6), (2, None, 7)),
    ]
    yield scenario("inner-integers", "F16", "integer keys, text foreign keys", t, rows)


def scenarios() -> Iterator[Json]:
    yield from prefixed("foreign", cases())
    yield from prefixed("foreign", variants())
