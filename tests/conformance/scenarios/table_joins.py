"""Joins of tables by key: inner, left, outer, chained, versioned (F13-F15)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, prefixed, scenario, store
from tests.conformance.scenarios.stream_joins import LEFT, RIGHT, STEPS

KINDS = {"inner": "join", "left": "left_join", "outer": "outer_join"}
MORE = [
    *STEPS,
    event(LEFT, "m", "X", 1),
    event(RIGHT, "n", "y", 2),
    event(LEFT, "n", None, 3),
    event(RIGHT, "m", None, 4),
    event(LEFT, None, "Z", 5),
    event(RIGHT, None, None, 6),
    event(RIGHT, "m", "x", 0, ("h", "1")),
    event(LEFT, "n", "Y", 1),
    event(LEFT, "n", "Y", 1),
    event(RIGHT, "n", None, 0),
    event(LEFT, "m", None, 9),
    event(LEFT, "m", None, 9),
]


def table(t: Steps, topic: str, versioned: bool) -> str:
    if versioned:
        return t.table(topic, materialized=store(f"{topic}-versioned", versioned=50))
    return t.table(topic)


def pairs() -> Iterator[Json]:
    for name, op in KINDS.items():
        for left, right in ((False, False), (True, True), (True, False), (False, True)):
            t = Steps()
            a, b = table(t, LEFT, left), table(t, RIGHT, right)
            t.emit(t(op, a, other=b, joiner="concat", materialized=store("result")))
            label = {(0, 0): "plain", (1, 1): "versioned", (1, 0): "left-versioned", (0, 1): "right-versioned"}[
                (left, right)
            ]
            yield scenario(f"{name}-{label}", "F13 F14 F15 A9", f"{name} join of tables, {label}", t, MORE)
        variants: dict[str, Json] = {
            "bare": {},
            "named": {"name": "j"},
            "with": {"materialized": {"key": "string", "value": "string"}},
            "named-store": {"name": "j", "materialized": store("js")},
            "null": {"joiner": ["null_if_right", "b"]},
            "in-memory": {"materialized": store("js", store="in_memory")},
            "uncached": {"materialized": store("js", caching=False)},
        }
        for label, fields in variants.items():
            t = Steps()
            a, b = t.table(LEFT), t.table(RIGHT)
            t.emit(t(op, a, other=b, **({"joiner": "concat"} | fields)))
            yield scenario(f"{name}-{label}", "F13 F14 J2 C9", f"{name} join, {label}", t, MORE)
        t = Steps()
        a, b = t.table(LEFT), t.table(RIGHT)
        g = t("group_by", t(op, a, other=b, joiner="concat"), fn=["const_key", "all"], key="string", value="string")
        t.emit(
            t("aggregate", g, init="", adder=["concat_sep", ","], subtractor="remove_first", materialized=store("agg"))
        )
        yield scenario(
            f"{name}-old-values", "E8 F13 F14 C4", "old values of a join, for an aggregate behind it", t, MORE
        )
        t = Steps()
        f = t("filter", t.table(LEFT), pred=["value_starts", "A"])
        m = t("map_values", t.table(RIGHT), fn="value_upper")
        t.emit(t(op, f, other=m, joiner="concat"))
        yield scenario(f"{name}-of-unstored", "E6 F13 F14", "sides that are computed on reading", t, MORE)
        for optimization in ("all", "none"):
            t = Steps()
            a, b = t.table(LEFT), t.table(RIGHT)
            t.emit(t(op, a, other=b, joiner="concat", materialized=store("result")))
            events = [*MORE[:12], RESTART, *MORE[12:25], RESTART, *MORE[25:]]
            yield scenario(
                f"{name}-restart-{optimization}", "L1 J7 F13 F14", "two restarts", t, events, optimization=optimization
            )


def chains() -> Iterator[Json]:
    for first, one in KINDS.items():
        for second, two in KINDS.items():
            t = Steps()
            a, b = t.table(LEFT), t.table(RIGHT)
            j = t(one, a, other=b, joiner="concat")
            t.emit(t(two, j, other=b, joiner="concat", materialized=store("result")))
            yield scenario(
                f"{first}-{second}", "F13 F14 E8", f"{first} join, then {second} with the right side again", t, STEPS
            )
    for name, op in KINDS.items():
        t = Steps()
        a = t.table(LEFT)
        t.emit(t(op, a, other=a, joiner="concat"))
        yield scenario(
            f"{name}-self", "F13 F14", "a table with itself", t, [row for row in MORE if row["topic"] == LEFT]
        )


def numbers() -> Iterator[Json]:
    for name, op in KINDS.items():
        t = Steps()
        a, b = t.table(LEFT, "long", "integer"), t.table(RIGHT, "long", "integer")
        for joiner in ("sum", "left", "right"):
            t.emit(t(op, a, other=b, joiner=joiner), f"out-{joiner}", "long", "integer")
        rows = [
            *feed(LEFT, (1, 5, 1), (2, 6, 9)),
            *feed(RIGHT, (1, 10, 2), (2, 20, 3), (3, 30, 4)),
            *feed(LEFT, (1, None, 5), (3, 7, 0), (2, 6, 1)),
        ]
        yield scenario(
            f"{name}-numbers",
            "F13 F14 A9",
            "the other joiners; timestamps are the greater ones",
            t,
            [*rows, *feed(RIGHT, (2, None, 1), (1, None, 8))],
        )


def scenarios() -> Iterator[Json]:
    yield from prefixed("table", pairs())
    yield from prefixed("table", chains())
    yield from prefixed("table", numbers())
