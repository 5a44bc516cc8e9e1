"""Tumbling, hopping, sliding, session and unlimited windows, and both emit strategies (area D)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, feed, scenario, store, wall

TIME_ROWS = feed(
    "in",
    ("a", "1", 0),
    ("b", "1", 4),
    ("a", "2", 9),
    ("a", "3", 10),
    (None, "n", 11),
    ("a", None, 12),
    ("b", "2", 14),
    ("a", "4", 9),
    ("a", "5", 15),
    ("a", "late", 9),
    ("b", "3", 10),
    ("b", "4", 25),
    ("a", "late", 14),
    ("a", "6", 20),
    ("c", "7", 61),
    ("c", "8", 2),
)
SLIDING_ROWS = feed(
    "in",
    ("a", "p", 20),
    ("a", "q", 25),
    ("a", "r", 22),
    ("b", "s", 3),
    ("a", "t", 40),
    (None, "u", 41),
    ("a", None, 42),
    ("a", "w", 50),
    ("a", "x", 40),
    ("b", "y", 7),
    ("a", "z", 31),
    ("a", "late", 9),
    ("c", "e", 5),
    ("a", "f", 101),
)
SESSION_ROWS = feed(
    "in",
    ("a", "x", 0),
    ("a", "y", 5),
    ("a", "z", 20),
    ("b", "v", 12),
    ("a", "w", 12),
    (None, "n", 13),
    ("a", None, 26),
    ("a", "m", 10),
    ("a", "in", 21),
    ("b", "late", 1),
    ("a", "rescued", 5),
    ("c", "c", 60),
    ("a", "gone", 27),
    ("c", "d", 54),
    ("c", "e", 66),
)
SHAPES: dict[str, tuple[Json, list[Json], str]] = {
    "tumbling": ({"type": "tumbling", "size": 10}, TIME_ROWS, "D1 D2 C3"),
    "hopping": ({"type": "hopping", "size": 10, "advance": 4}, TIME_ROWS, "D1 D2"),
    "hopping-even": ({"type": "hopping", "size": 12, "advance": 4}, TIME_ROWS, "D1 D2"),
    "sliding": ({"type": "sliding", "difference": 10}, SLIDING_ROWS, "D7 D8 D9 D10"),
    "session": ({"type": "session", "gap": 5}, SESSION_ROWS, "D4 D5 D6"),
}
OPERATIONS: dict[str, Json] = {
    "count": {},
    "reduce": {"reducer": "concat"},
    "aggregate": {"init": "", "aggregator": "concat", "materialized": store("agg")},
}


def windowed(t: Steps, window: Json, operation: str, emit: str | None, **more: object) -> str:
    g = t("group_by_key", t.stream("in"))
    w = t("windowed_by", g, window=window, **({"emit": emit} if emit else {}))
    fields = dict(OPERATIONS[operation])
    if operation == "aggregate" and window["type"] == "session":
        fields["merger"] = "concat"
    return t(operation, w, **(fields | more))


def grid() -> Iterator[Json]:
    for shape, (window, rows, features) in SHAPES.items():
        for grace in (None, 0, 7, 1000):
            for emit in (None, "on_close"):
                operation = {None: "count", 0: "reduce", 7: "aggregate", 1000: "reduce"}[grace]
                t = Steps()
                full = window if grace is None else window | {"grace": grace}
                value = "long" if operation == "count" else "string"
                t.label(windowed(t, full, operation, emit), value=value)
                name = f"{shape}-{operation}-grace-{grace}-{emit or 'default'}"
                extra = " D3 D14 D15" if emit else " D3 D13"
                yield scenario(
                    name, features + extra, f"{shape} {operation}, grace {grace}, {emit or 'every update'}", t, rows
                )
        for operation in OPERATIONS:
            t = Steps()
            value = "long" if operation == "count" else "string"
            t.label(windowed(t, window | {"grace": 6}, operation, "on_close"), value=value)
            yield scenario(f"{shape}-{operation}-final", f"{features} D14", "final results of every aggregate", t, rows)


def stores_and_names() -> Iterator[Json]:
    for shape, (window, rows, features) in SHAPES.items():
        variants: dict[str, Json] = {
            "unnamed": {"key": "string", "value": "long"},
            "retention": store("st", "long", retention=200),
            "in-memory": store("st", "long", store="in_memory"),
            "unlogged": store("st", "long", logging=False),
            "cached": store("st", "long", caching=True),
        }
        for name, fields in variants.items():
            t = Steps()
            t.label(windowed(t, window | {"grace": 5}, "count", None, materialized=fields), value="long")
            yield scenario(f"{shape}-store-{name}", f"{features} C9 D12 I4", f"count, materialized: {name}", t, rows)
        t = Steps()
        t.label(windowed(t, window | {"grace": 5}, "count", None, name="mine"), value="long")
        yield scenario(f"{shape}-named-node", f"{features} J2", "the operator has a name", t, rows)
        t = Steps()
        serde = "session_windowed:string" if shape == "session" else "time_windowed:string:10"
        t.emit(windowed(t, window | {"grace": 5}, "reduce", None), "out", "string", serde)
        yield scenario(f"{shape}-windowed-key", f"{features} B10", "the windowed key on a user's topic", t, rows)
        t = Steps()
        short = {"type": "tumbling", "size": 10, "grace": 5} if shape == "tumbling" else window | {"grace": 5}
        t.label(windowed(t, short, "count", None, materialized=store("st", "long", retention=3)), value="long")
        yield scenario(f"{shape}-retention-too-short", "D12", "refused at build", t, [])


def boundaries() -> Iterator[Json]:
    """Every record time around the ends of windows and of grace."""
    for shape, (window, _, features) in SHAPES.items():
        for emit in ("on_update", "on_close"):
            rows = feed(
                "in",
                ("k", "a", 30),
                *(("k", chr(98 + at), 30 + step) for at, step in enumerate((-20, -16, -15, -14, -11, -10, -9))),
            )
            rows += feed(
                "in",
                *(("k", chr(65 + at), 30 + step) for at, step in enumerate((-6, -5, -4, -1, 0, 1, 4, 5, 6, 10, 11))),
            )
            rows += feed("in", ("j", "end", 55), ("k", "end", 56), ("j", "far", 1000), ("k", "past", 60))
            t = Steps()
            t.label(windowed(t, window | {"grace": 5}, "aggregate", emit))
            yield scenario(f"{shape}-boundaries-{emit}", features, "record times one off every bound", t, rows)
    t = Steps()
    g = t("group_by_key", t.stream("in"))
    for start in (None, 0, 15):
        window = {"type": "unlimited"} | ({} if start is None else {"start": start})
        t.label(t("count", t("windowed_by", g, window=window)), f"from-{start}", "long")
    yield scenario("unlimited", "D11", "one window without an end; records before its start", t, TIME_ROWS)
    t = Steps()
    w = t("windowed_by", t("group_by_key", t.stream("in")), window={"type": "unlimited"}, emit="on_close")
    t.label(t("count", w), value="long")
    yield scenario("unlimited-on-close", "D11 D14", "refused", t, [])


def arguments() -> Iterator[Json]:
    """Windows that cannot be: each is refused where it is made."""
    wrong: dict[str, Json] = {
        "size-zero": {"type": "tumbling", "size": 0},
        "size-negative": {"type": "tumbling", "size": -1},
        "grace-negative": {"type": "tumbling", "size": 10, "grace": -1},
        "advance-zero": {"type": "hopping", "size": 10, "advance": 0},
        "advance-above-size": {"type": "hopping", "size": 10, "advance": 11},
        "advance-negative": {"type": "hopping", "size": 10, "advance": -1},
        "difference-negative": {"type": "sliding", "difference": -1},
        "sliding-grace-negative": {"type": "sliding", "difference": 1, "grace": -1},
        "gap-negative": {"type": "session", "gap": -1},
        "session-grace-negative": {"type": "session", "gap": 1, "grace": -1},
        "start-negative": {"type": "unlimited", "start": -1},
    }
    for name, window in wrong.items():
        t = Steps()
        t.label(t("count", t("windowed_by", t("group_by_key", t.stream("in")), window=window)), value="long")
        yield scenario(f"window-{name}", "D1 D3 D4 D7 D11 J12", f"refused: {name}", t, [])
    for name, window in (
        ("one", {"type": "tumbling", "size": 1}),
        ("full-advance", {"type": "hopping", "size": 10, "advance": 10}),
    ):
        t = Steps()
        t.label(t("count", t("windowed_by", t("group_by_key", t.stream("in")), window=window)), value="long")
        yield scenario(f"window-{name}", "D1", "the smallest window; an advance of the whole size", t, TIME_ROWS)
    t = Steps()
    w = t("windowed_by", t("group_by_key", t.stream("in")), window={"type": "session", "gap": 0, "grace": 8})
    t.label(t("reduce", w, reducer="concat"))
    rows = [row | {"ts": row["ts"] // 4} for row in SESSION_ROWS]
    yield scenario("window-gap-zero", "D4 D5", "sessions of one instant", t, rows)
    t = Steps()
    w = t("windowed_by", t("group_by_key", t.stream("in")), window={"type": "sliding", "difference": 0, "grace": 5})
    t.label(t("reduce", w, reducer="concat"))
    yield scenario(
        "window-difference-zero", "D7 D8", "dies: a sliding window of one instant is empty", t, SLIDING_ROWS[:1]
    )


def downstream() -> Iterator[Json]:
    for shape, (window, rows, features) in SHAPES.items():
        t = Steps()
        a = windowed(t, window | {"grace": 20}, "count", None)
        f = t("filter", a, pred=["value_gt", 1])
        t.label(t("map_values", f, fn=["times", 10]), value="long")
        inner = t("to_stream", a, fn="inner_key")
        t.emit(t("count", t("group_by_key", inner, key="string", value="long")), "changes", "long")
        yield scenario(
            f"{shape}-then-table-ops",
            f"{features} E5 E6 C10",
            "a windowed table filtered, mapped and counted again",
            t,
            rows,
        )
        t = Steps()
        g = t("group_by", t.stream("in"), fn="value")
        w = t("windowed_by", g, window=window | {"grace": 5})
        t.label(t("count", w), value="long")
        yield scenario(f"{shape}-rekeyed", f"{features} C1", "windows behind a repartition", t, rows)


def final_results() -> Iterator[Json]:
    """Emission on close: jumps of time, restarts, empty stretches."""
    jumps = feed(
        "in",
        ("a", "1", 1),
        ("b", "2", 3),
        ("a", "3", 12),
        ("c", "4", 17),
        ("a", "5", 400),
        ("b", "6", 385),
        ("b", "7", 1000),
    )
    for shape, (window, rows, features) in SHAPES.items():
        t = Steps()
        t.label(windowed(t, window | {"grace": 5}, "aggregate", "on_close"))
        yield scenario(f"{shape}-final-jump", f"{features} D14", "stream time jumps past retention", t, jumps)
        t = Steps()
        t.label(windowed(t, window | {"grace": 5}, "aggregate", "on_close"))
        half = len(rows) // 2
        events = [*rows[:half], RESTART, *rows[half:]]
        yield scenario(
            f"{shape}-final-restart", f"{features} D15 L1", "a restart does not repeat final results", t, events
        )
        for kind in ("in_memory", "rocksdb"):
            t = Steps()
            t.label(windowed(t, window | {"grace": 3}, "count", "on_close"), value="long")
            yield scenario(
                f"{shape}-final-{kind}",
                f"{features} D14 I13",
                f"final results from a {kind} store",
                t,
                rows,
                store=kind,
            )


def throttled() -> Iterator[Json]:
    """Final results leave at most once a second of wall clock."""
    throttle = {"__emit.interval.ms.kstreams.windowed.aggregation__": "1000"}
    for shape, (window, rows, features) in SHAPES.items():
        t = Steps()
        t.label(windowed(t, window | {"grace": 2}, "reduce", "on_close"))
        events = [item for at, row in enumerate(rows) for item in ([wall(400), row] if at % 2 else [row])]
        yield scenario(
            f"{shape}-final-throttled",
            f"{features} D14",
            "emission waits for the wall clock",
            t,
            events,
            props=throttle,
        )


def scenarios() -> Iterator[Json]:
    yield from throttled()
    yield from arguments()
    yield from grid()
    yield from stores_and_names()
    yield from boundaries()
    yield from downstream()
    yield from final_results()
