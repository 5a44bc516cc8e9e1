"""Whole topologies out of several areas, and keys of every serde, windowed ones on users' topics among them."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, scenario, store
from tests.conformance.scenarios.stream_joins import span

TUMBLING: Json = {"type": "tumbling", "size": 10, "grace": 10}
SESSION: Json = {"type": "session", "gap": 4, "grace": 10}
SERDES: Json = {"key": "string", "value": "string", "other_value": "string"}
ROWS = feed(
    "in",
    ("a", "x y", 1),
    ("b", "y", 4),
    ("a", "z", 8),
    (None, "x", 9),
    ("a", None, 10),
    ("b", "x x", 12),
    ("a", "y", 3),
    ("c", "w", 25),
    ("b", "z y x", 14),
    ("a", "x", 60),
)
OTHER = feed(
    "other",
    ("a", "1", 2),
    ("b", "2", 5),
    ("a", None, 9),
    ("c", "3", 11),
    ("a", "4", 13),
    ("b", None, 30),
    ("x", "5", 40),
)
BOTH = [row for pair in zip(ROWS, [*OTHER, *OTHER], strict=False) for row in pair]


def word_count(t: Steps) -> str:
    words = t("flat_map_values", t("map_values", t.stream("in"), fn="value_upper"), fn="split_words")
    return t("count", t("group_by", words, fn="value", name="words"), materialized=store("counts", "long"))


def windowed(t: Steps, source: str, window: Json, name: str | None = None) -> str:
    w = t("windowed_by", t("group_by_key", source), window=window)
    fields: Json = {"materialized": store(name)} if name else {}
    merger: Json = {"merger": "concat"} if window["type"] == "session" else {}
    return t("aggregate", w, init="", aggregator="concat", **merger, **fields)


def programs() -> Iterator[Json]:
    for restart in (False, True):
        t = Steps()
        t.emit(word_count(t), "out", "long")
        events = [*ROWS[:5], RESTART, *ROWS[5:]] if restart else ROWS
        yield scenario(f"word-count{'-restart' if restart else ''}", "B5 C1 C2", "the word count", t, events)
    t = Steps()
    c = word_count(t)
    g = t("group_by", c, fn=["mod_to_key", 2], key="string", value="long")
    t.emit(t("reduce", g, adder="sum", subtractor="subtract"), "out", "long")
    yield scenario("counts-by-parity", "C4 C6", "a table of counts grouped again", t, ROWS)
    t = Steps()
    c = word_count(t)
    t.emit(t("filter", c, pred=["value_gt", 1]), "often", "long")
    t.to(
        t("join", t.stream("ask"), other=c, joiner="concat", key="string", value="string", other_value="long"),
        "answers",
    )
    asks = feed("ask", ("X", "?", 20), ("Q", "?", 21), ("Y", "?", 22))
    yield scenario(
        "ask-the-count", "F9 C2", "a stream asks a table of counts", t, [*ROWS[:6], asks[0], *ROWS[6:], *asks[1:]]
    )
    t = Steps()
    j = t("left_join", t.stream("in"), other=t.stream("other"), joiner="concat", window=span(3, grace=5), **SERDES)
    t.label(windowed(t, j, TUMBLING))
    yield scenario("left-join-then-windows", "F3 F4 D1", "unmatched rows leave late for the windows behind", t, BOTH)
    t = Steps()
    j = t("join", t.stream("in"), other=t.table("other"), joiner="concat", **SERDES)
    t.emit(t("count", t("group_by", j, fn="value")), "out", "long")
    yield scenario("lookup-then-count", "F9 C1", "a lookup counted by its result", t, BOTH)
    t = Steps()
    a = t("reduce", t("group_by_key", t.stream("in")), reducer="last")
    t.emit(t("left_join", a, other=t.table("other"), fk="value", joiner="concat"))
    yield scenario("aggregate-foreign-join", "F16 C2", "an aggregate joined by foreign key", t, BOTH)
    t = Steps()
    first = t("join", t.table("in"), other=t.table("other"), joiner="concat")
    s = t("suppress", first, until="time_limit", ms=6)
    t.emit(t("count", t("group_by", s, fn="value_to_key")), "out", "long")
    yield scenario("join-suppress-count", "F13 G1 C4", "a join held back, then counted", t, BOTH)


def relational() -> Iterator[Json]:
    """Articles, comments and authors: counts by foreign key, joined by key, joined by foreign key, regrouped."""
    events = [
        *feed("articles", ("1", "u1|Cats", 1), ("2", "u2|Dogs", 2)),
        *feed("comments", ("c1", "1|nice", 3), ("c2", "1|bad", 4), ("c3", "3|?", 5)),
        *feed("authors", ("u1", "Ann", 6), ("u3", "Cy", 7)),
        *feed("comments", ("c2", None, 8), ("c3", "2|moved", 9)),
        *feed("articles", ("3", "u3|Owls", 10)),
        *feed("authors", ("u2", "Bob", 11), ("u1", "Anna", 3)),
        *feed("articles", ("1", "u2|Cats", 12), ("2", None, 13)),
        *feed("comments", ("c1", "3|late", 1), ("c4", "3|new", 14)),
        *feed("authors", ("u3", None, 15)),
        *feed("articles", ("2", "u1|Dogs again", 16)),
    ]
    for restart in (False, True):
        for optimization in ("none", "all"):
            t = Steps()
            articles, comments, authors = t.table("articles"), t.table("comments"), t.table("authors")
            counts = t(
                "count",
                t("group_by", comments, fn="fk_to_key", key="string", value="string"),
                materialized=store("counts", "long"),
            )
            texts = t("map_values", counts, fn="to_string", materialized=store("texts"))
            counted = t("left_join", articles, other=texts, joiner="concat", materialized=store("counted"))
            signed = t("left_join", counted, other=authors, fk="fk", joiner="concat", materialized=store("signed"))
            t.emit(signed, "signed")
            t.emit(t("count", t("group_by", signed, fn="fk_to_key", key="string", value="string")), "by-author", "long")
            rows = [*events[:9], RESTART, *events[9:]] if restart else events
            name = f"relational-{optimization}{'-restart' if restart else ''}"
            yield scenario(name, "F14 F16 C4 J6 L1", "a small relational program", t, rows, optimization=optimization)


def windowed_tables() -> Iterator[Json]:
    for op in ("join", "left_join", "outer_join"):
        for window in (TUMBLING, SESSION):
            t = Steps()
            a = windowed(t, t.stream("in"), window, "left")
            b = windowed(t, t.stream("other"), window, "right")
            t.label(t(op, a, other=b, joiner="concat"))
            yield scenario(f"{op}-of-{window['type']}-tables", "F13 F14 D1 D4", f"{op} of two windowed tables", t, BOTH)
    for window in (TUMBLING, SESSION):
        t = Steps()
        a = windowed(t, t.stream("in"), window)
        serde = "time_windowed:string:10" if window is TUMBLING else "session_windowed:string"
        f = t("suppress", a, until="window_closes")
        t.emit(f, "finals", key=serde)
        t.emit(t("filter", a, pred=["value_longer", 2], materialized=store("f", key=serde)), "long-ones", key=serde)
        s = t("to_stream", a, fn="inner_key")
        t.emit(t("reduce", t("group_by_key", s, key="string", value="string"), reducer="last"), "last")
        yield scenario(
            f"{window['type']}-table-everywhere", "D1 D4 G2 E5 C1", "one windowed table, three uses", t, ROWS
        )
        t = Steps()
        grouped = t("group_by", windowed(t, t.stream("in"), window), fn="value_to_key", key="string", value="string")
        t.emit(t("count", grouped), "out", "long")
        yield scenario(f"{window['type']}-table-grouped", "C4 E8 C10", "a windowed table grouped by its value", t, ROWS)


def keys() -> Iterator[Json]:
    windows: dict[str, list[Json]] = {
        "time_windowed:string:10": [
            {"key": "a", "start": 0, "end": 10},
            {"key": "b", "start": 5, "end": 15},
            {"key": "", "start": 20, "end": 30},
        ],
        "session_windowed:string": [
            {"key": "a", "start": 0, "end": 7},
            {"key": "b", "start": 5, "end": 5},
            {"key": "", "start": 20, "end": 29},
        ],
        "time_windowed:long:5": [
            {"key": 1, "start": 0, "end": 5},
            {"key": -1, "start": 5, "end": 10},
            {"key": 7, "start": 20, "end": 25},
        ],
        "session_windowed:integer": [
            {"key": 1, "start": 0, "end": 7},
            {"key": -1, "start": 5, "end": 5},
            {"key": 7, "start": 20, "end": 29},
        ],
    }
    for serde, values in windows.items():
        t = Steps()
        s = t.stream("in", key=serde)
        t.to(t("map_values", s, fn="with_key"), key=serde)
        t.to(t("select_key", s, fn="window_label"), "labels")
        inner = serde.split(":")[1]
        t.to(t("select_key", s, fn="inner_key"), "inner", key=inner)
        t("to", t("filter", s, pred="always"), topic="inherited")
        t.emit(t("count", t("group_by_key", s)), "counts", "long", serde)
        rows = [event("in", key, "v", at) for at, key in enumerate([*values, *values[:2]])]
        yield scenario(f"keys-{serde.replace(':', '-')}", "B10", "windowed keys read, counted and written", t, rows)
    plain: dict[str, list[int] | list[float] | list[str]] = {
        "double": [1.5, -0.0, 0.0, 1e300],
        "bytes": ["00", "ff", "", "0001"],
        "long": [1, -1, 0, 2**62],
    }
    for serde, names in plain.items():
        t = Steps()
        s = t.stream("in", key=serde)
        t.emit(t("count", t("group_by_key", s), materialized=store("c", "long", serde)), "out", "long", serde)
        t.to(s, "same", key=serde)
        rows = [event("in", key, "v", at) for at, key in enumerate([*names, *names])]
        yield scenario(f"keys-{serde}", "C2 I1", f"{serde} as keys of a store", t, rows)
    t = Steps()
    s = t("stream", topics=["in"])
    t("to", t("map_values", s, fn=["add", 1]), topic="out")
    t.emit(t("reduce", t("group_by_key", s), reducer="sum"), "sums", "long", "integer")
    rows = feed("in", (1, 5, 1), (2, 6, 2), (1, None, 3), (1, 7, 4))
    yield scenario(
        "defaults-everywhere", "B2 C9", "default serdes for all", t, rows, default_key="integer", default_value="long"
    )
    t = Steps()
    m = t("merge", t.stream("in"), other=t.stream("other"))
    t("to", m, topic="merged")
    t.emit(t("count", t("group_by_key", m)), "counts", "long")
    yield scenario("merge-keeps-no-serdes", "B7 C1", "default serdes behind a merge", t, BOTH[:8])
    t = Steps()
    text = "grüße \u4f60\u597d"
    t.to(t("map_values", t.stream("in"), fn="value_length"), "out", "long")
    t.to(t("map_values", t.stream("in2"), fn="value_upper"), "upper")
    t.to(t("flat_map_values", t.stream("in3"), fn="chars"), "chars")
    rows = [event("in", text, text, 1), event("in2", text, text, 2), event("in3", "k", text, 3, ("h", text))]
    yield scenario("unicode", "B5", "letters outside ASCII", t, rows)


def scenarios() -> Iterator[Json]:
    yield from programs()
    yield from relational()
    yield from windowed_tables()
    yield from keys()
