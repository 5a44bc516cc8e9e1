"""Operators without state: filters, mappers, branches, merges, sinks, and what they do to keys and topics (area B)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import Json, Lambda, Steps, event, feed, scenario

WORDS = feed(
    "in",
    ("k", "apple", 1),
    (None, "bee|x", 2),
    ("k2", None, 3),
    ("key", "a b  c", 2),
    ("z", "", 5),
    (None, None, 6),
)
NUMBERS = feed("in", ("a", 4, 1), ("b", -3, 2), (None, 7, 3), ("c", None, 4), ("d", 0, 1), ("a", 12, 9))
DOUBLES = feed("in", ("a", 1.5, 1), ("b", -0.25, 2), ("c", None, 3), ("d", 1e10, 4), ("e", 100.0, 5))

TEXT_VALUE: list[Lambda] = [
    "identity",
    "value_upper",
    "value_length",
    "to_string",
    ["append", "!"],
    ["null_if", "apple"],
    ["null_to", "nil"],
    "with_key",
]
PAIRS: list[Lambda] = [
    "identity",
    "swap",
    "value_to_key",
    "first_char_to_key",
    ["key_append", "+"],
    "null_key",
    ["const_key", "c"],
    "fk_to_key",
]
SELECTORS: list[Lambda] = [
    "key",
    "value",
    ["const", "z"],
    "first_char",
    "key_first_char",
    "fk",
    "key_value",
    ["null_if_value", "apple"],
]
PREDICATES: list[Lambda] = [
    "always",
    "never",
    "key_not_null",
    "value_not_null",
    ["key_is", "k"],
    ["value_is", "apple"],
    ["value_starts", "b"],
    ["value_longer", 4],
]


def named(fn: Lambda) -> str:
    return fn if isinstance(fn, str) else fn[0]


def lambdas() -> Iterator[Json]:
    rows: list[tuple[str, str, list[Lambda], str]] = [
        ("map_values", "fn", TEXT_VALUE, "B5 A12"),
        ("map", "fn", PAIRS, "B4"),
        ("select_key", "fn", SELECTORS, "B4"),
        ("filter", "pred", PREDICATES, "B3"),
        ("filter_not", "pred", PREDICATES, "B3"),
        ("flat_map", "fn", ["words_to_keys", "twice"], "B4"),
        ("flat_map_values", "fn", ["split_words", "chars", ["repeat", 0], ["repeat", 3]], "B5"),
    ]
    for op, field, functions, features in rows:
        t = Steps()
        s = t.stream("in")
        for at, fn in enumerate(functions):
            value = "long" if fn == "value_length" else "string"
            t.to(t(op, s, **{field: fn}), f"out-{at}-{named(fn)}", value)
        yield scenario(f"every-{op}", features, f"{op} with every lambda, nulls in key and value", t, WORDS)


def numbers() -> Iterator[Json]:
    t = Steps()
    s = t.stream("in", "long")
    for at, fn in enumerate([["add", 5], ["times", -2], ["null_if", 7], ["null_to", 9], "identity"]):
        t.to(t("map_values", s, fn=fn), f"long-{at}", "long")
    t.to(t("map_values", s, fn="to_string"), "text")
    t.to(t("map_values", t("map_values", s, fn="to_string"), fn="to_long"), "back", "long")
    t.to(t("map", s, fn=["mod_to_key", 3]), "mod", "long")
    t.to(t("select_key", s, fn=["value_mod", 5]), "five", "long")
    for at, pred in enumerate(["is_even", ["value_gt", 3], ["value_is", 0]]):
        t.to(t("filter", s, pred=pred), f"pred-{at}", "long")
        t.to(t("filter_not", s, pred=pred), f"not-{at}", "long")
    yield scenario("long-lambdas", "B3 B5", "lambdas on long values, floor modulo of negatives", t, NUMBERS)
    t = Steps()
    s = t.stream("in", "double")
    t.to(t("map_values", s, fn=["add", 0.5]), "plus", "double")
    t.to(t("map_values", s, fn=["times", 2.0]), "twice", "double")
    t.to(t("map_values", s, fn="to_string"), "text")
    t.to(t("filter", s, pred=["value_gt", 1.25]), "gt", "double")
    yield scenario("double-lambdas", "B5", "doubles and their text as Java prints it", t, DOUBLES)
    t = Steps()
    s = t.stream("in", "integer", "integer")
    t.to(t("map_values", s, fn=["add", 2147483647]), "wrapped", "integer", "integer")
    t.to(t("map_values", s, fn="with_key"), "text", "string", "integer")
    t.to(t("map", s, fn="swap"), "swapped", "integer", "integer")
    rows = feed("in", (1, 0, 1), (-7, -5, 2), (None, 3, 3), (2, None, 4))
    yield scenario("integer-lambdas", "B5", "32-bit integers as key and value", t, rows)


def merges_and_branches() -> Iterator[Json]:
    t = Steps()
    a, b = t.stream("in"), t.stream("other")
    t.to(t("merge", a, other=b))
    t.to(t("merge", t("merge", a, other=b), other=t("map_values", a, fn="value_upper"), name="three"), "three")
    rows = [*WORDS[:3], *feed("other", ("o", "x", 4), (None, "y", 1)), WORDS[3]]
    yield scenario("merge", "B7", "two streams, three streams, a stream with itself", t, rows)
    t = Steps()
    s = t.stream("in")
    t(
        "split",
        s,
        branches=[{"pred": ["value_starts", "a"], "let": "one"}, {"pred": "always", "let": "two"}],
        name="br-",
    )
    t.to("one", "first")
    t.to("two", "second")
    yield scenario("split-named-no-default", "B8 J2", "a prefix, no default branch; the first match wins", t, WORDS)
    t = Steps()
    s = t.stream("in")
    t(
        "split",
        s,
        branches=[{"pred": ["value_longer", 3], "let": "long", "name": "L"}, {"pred": "never", "let": "none"}],
        default={"let": "rest", "name": "R"},
    )
    t.to("long", "long")
    t.to("none", "none")
    t.to(t("peek", "rest", label="rest"), "rest")
    t("foreach", "rest", label="each", name="fe")
    yield scenario(
        "split-branch-names", "B8 B6 J2", "named branches, one that never matches, default with two children", t, WORDS
    )
    t = Steps()
    s = t("map_values", t("peek", t.stream("in"), label="before", name="pk"), fn="value_upper", name="up")
    t("foreach", t("peek", s, label="after"), label="end")
    yield scenario("peek-order", "B6 A12", "side effects in order, no sink at all", t, WORDS)
    t = Steps()
    s = t.stream("in")
    for at in range(3):
        t.to(t("map_values", s, fn=["append", str(at)]), "out")
    rows = [event("in", "k", "v", 7, ("a", "1"), ("a", "2"), ("b", None)), event("in", None, None, 3, ("c", ""))]
    yield scenario(
        "depth-first", "A12 H4 B10", "three children write one topic in order; headers repeat and may be null", t, rows
    )


def sinks() -> Iterator[Json]:
    t = Steps()
    s = t.stream("in")
    for at, partitioner in enumerate(["zero", "default", ["drop_value", "apple"]]):
        t.to(s, f"to-{at}", partitioner=partitioner)
        t.to(s, f"named-{at}", partitioner=partitioner, name=f"sink-{at}")
    t("to", s, topic="bare")
    t("to", s, topic_fn=["key_topic", "by-"], key="string", value="string")
    t("to", s, topic_fn=["source_topic", "-copy"])
    yield scenario("sinks", "B10 B11 B12", "partitioners, topics by record, default serdes", t, WORDS)
    t = Steps()
    s = t.stream("in")
    t.to(t("map_values", s, fn=["append", "."]), "again")
    t.to(t("map_values", t.stream("again"), fn="value_upper"))
    yield scenario("sink-is-source", "B10 P2", "a topic that is written and read by the app is fed back", t, WORDS)
    t = Steps()
    t("to", t("stream", topics=["in"]), topic="out")
    yield scenario(
        "default-serdes",
        "B2",
        "no serdes named anywhere",
        t,
        feed("in", (1, 2, 3), (None, 5, 4)),
        default_key="integer",
        default_value="long",
    )


OPERATORS: dict[str, Json] = {
    "filter": {"pred": "always"},
    "filter_not": {"pred": "never"},
    "map": {"fn": "identity"},
    "map_values": {"fn": "value_upper"},
    "flat_map": {"fn": "twice"},
    "flat_map_values": {"fn": ["repeat", 2]},
    "select_key": {"fn": "key"},
    "peek": {"label": "p"},
    "process": {"processor": "forward"},
    "process_values": {"processor": "forward"},
    "repartition": {},
}
GROUPED = feed("in", ("a", "x", 1), (None, "y", 2), ("b", None, 3), ("a", "z", 2))


def repartition_flags() -> Iterator[Json]:
    for op, fields in OPERATORS.items():
        t = Steps()
        s = t(op, t.stream("in"), **fields)
        t.emit(t("count", t("group_by_key", s)), "out", "long")
        yield scenario(f"flag-{op}", "B4 B5 C1 B14", f"whether {op} makes a later group_by_key repartition", t, GROUPED)
    for side in ("left", "right", "both", "neither"):
        t = Steps()
        a, b = t.stream("in"), t.stream("other")
        a = t("select_key", a, fn="value") if side in ("left", "both") else a
        b = t("map", b, fn="identity") if side in ("right", "both") else b
        t.emit(
            t("count", t("group_by_key", t("merge", a, other=b), name="g", key="string", value="string")), "out", "long"
        )
        rows = [*GROUPED[:2], *feed("other", ("o", "x", 4), ("a", "y", 1))]
        yield scenario(f"flag-merge-{side}", "B7 B4", "a merge needs a repartition if one side does", t, rows)
    for first in ("map", "process"):
        for second in ("filter", "map_values", "peek", "flat_map_values", "process_values", "repartition"):
            t = Steps()
            s = t(second, t(first, t.stream("in"), **OPERATORS[first]), **OPERATORS[second])
            t.emit(t("reduce", t("group_by_key", s), reducer="concat"))
            yield scenario(f"flag-{first}-{second}", "B4 B15 B16", f"the flag of {first} behind {second}", t, GROUPED)


def repartitions() -> Iterator[Json]:
    variants: dict[str, Json] = {
        "bare": {},
        "named": {"name": "mine"},
        "serdes": {"key": "string", "value": "string"},
        "partitions": {"name": "four", "partitions": 4},
        "key-only": {"key": "string"},
        "value-only": {"value": "string"},
    }
    for name, fields in variants.items():
        t = Steps()
        s = t("repartition", t("select_key", t.stream("in"), fn="first_char"), **fields)
        t.to(t("map_values", s, fn="with_key"))
        yield scenario(f"repartition-{name}", "B9 B14", f"an explicit repartition: {name}", t, WORDS)
    t = Steps()
    s = t("repartition", t.stream("in"), name="r")
    t.emit(t("count", t("group_by_key", s)), "out", "long")
    t.emit(t("count", t("group_by", s, fn="value")), "out2", "long")
    yield scenario(
        "repartition-then-count", "B9 C1", "no second topic behind one's own; group_by makes another", t, GROUPED
    )


def scenarios() -> Iterator[Json]:
    yield from lambdas()
    yield from numbers()
    yield from merges_and_branches()
    yield from sinks()
    yield from repartition_flags()
    yield from repartitions()
