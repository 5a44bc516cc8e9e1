"""Suppression: final results, time limits, bounded buffers, their changelog (area G)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, scenario, store
from tests.conformance.scenarios.windows import SHAPES, windowed

ROWS = [
    *feed(
        "in",
        ("a", "x", 1),
        ("b", "y", 5),
        ("a", "z", 9),
        ("c", "w", 11),
        ("b", None, 12),
        ("d", "q", 30),
        (None, "n", 31),
    ),
    event("in", "a", "h", 45, ("k", "v"), ("k", None)),
    *feed("in", ("b", "i", 60), ("b", "late", 2), ("e", None, 61), ("a", "h2", 3)),
    event("in", "f", "end", 200, ("e", "1")),
    *feed("in", ("g", "last", 1000)),
]


def final_results() -> Iterator[Json]:
    for shape, (window, rows, features) in SHAPES.items():
        for grace in (0, 5, 30):
            for operation in ("count", "aggregate"):
                t = Steps()
                a = windowed(t, window | {"grace": grace}, operation, None)
                t.label(t("suppress", a, until="window_closes"), value="long" if operation == "count" else "string")
                end = feed("in", ("z", "end", 120), ("z", "end", 135), ("y", "far", 900))
                name = f"final-{shape}-{operation}-{grace}"
                yield scenario(
                    name, f"G2 G3 G5 {features}", f"final results of {shape} windows, grace {grace}", t, [*rows, *end]
                )
        t = Steps()
        a = windowed(t, window | {"grace": 5}, "count", None)
        t.label(t("suppress", a, until="window_closes", name="final"), value="long")
        half = len(rows) // 2
        events = [*rows[:half], RESTART, *rows[half:], *feed("in", ("z", "end", 500))]
        yield scenario(
            f"final-{shape}-restart",
            f"G2 L1 A6 {features}",
            "the buffer is restored, the operator's time is lost",
            t,
            events,
        )
        t = Steps()
        a = windowed(t, window | {"grace": 5}, "count", None)
        t.label(t("suppress", a, until="time_limit", ms=7), value="long")
        yield scenario(
            f"limited-{shape}",
            f"G1 C10 {features}",
            "a time limit on a windowed table: prior values in the buffer",
            t,
            rows,
        )
        t = Steps()
        serdes = {
            "key": "session_windowed:string" if shape == "session" else "time_windowed:string:10",
            "value": "long",
        }
        a = t("filter", windowed(t, window | {"grace": 5}, "count", None), pred=["value_gt", 1], materialized=serdes)
        f = t(
            "suppress", t("map_values", a, fn=["times", 2], materialized=serdes), until="window_closes", logging=False
        )
        t.label(f, value="long")
        yield scenario(
            f"final-{shape}-filtered", f"G2 G4 {features}", "tombstones of a filter are not final results", t, rows
        )


def time_limits() -> Iterator[Json]:
    for millis in (0, 1, 10, 100):
        for logging in (True, False):
            t = Steps()
            f = t(
                "suppress",
                t.table("in"),
                until="time_limit",
                ms=millis,
                **({} if logging else {"logging": False, "name": "quiet"}),
            )
            t.emit(f)
            kind = "logged" if logging else "unlogged"
            yield scenario(
                f"limit-{millis}-{kind}", "G1 G3 G4 A12", f"at most every {millis} ms of record time, {kind}", t, ROWS
            )
    for at in (3, 7, 10):
        t = Steps()
        t.emit(t("suppress", t.table("in"), until="time_limit", ms=10))
        yield scenario(f"limit-restart-{at}", "G1 L1", "the buffer is restored", t, [*ROWS[:at], RESTART, *ROWS[at:]])
    t = Steps()
    t.emit(t("suppress", t.table("in"), until="time_limit", ms=10, logging=False))
    yield scenario(
        "limit-unlogged-restart", "G1 G6 L1", "an unlogged buffer is lost", t, [*ROWS[:4], RESTART, *ROWS[4:]]
    )
    t = Steps()
    counts = t("count", t("group_by", t.stream("in"), fn="value"))
    f = t("suppress", counts, until="time_limit", ms=10, name="counts")
    g = t("group_by", f, fn=["mod_to_key", 2], key="string", value="long")
    t.emit(t("count", g), "out", "long")
    yield scenario("limit-then-aggregate", "G1 E8 C4", "old values out of a suppression", t, ROWS)
    t = Steps()
    f = t("suppress", t.table("in"), until="time_limit", ms=5)
    t.to(t("join", t.stream("clicks"), other=f, joiner="concat"), "joined")
    rows = [
        *ROWS[:3],
        event("clicks", "a", "c1", 9),
        *ROWS[3:5],
        event("clicks", "a", "c2", 12),
        event("clicks", "b", "c3", 13),
    ]
    yield scenario("limit-read-through", "G1 F9", "a join reads the table behind a suppression", t, rows)


def buffers() -> Iterator[Json]:
    for limit in (
        {"max_records": 1},
        {"max_records": 2},
        {"max_bytes": 60},
        {"max_bytes": 150},
        {"max_records": 3, "max_bytes": 100},
    ):
        for millis in (5, 1000):
            t = Steps()
            t.emit(t("suppress", t.table("in"), until="time_limit", ms=millis, full="emit_early", **limit))
            name = "-".join(f"{field.removeprefix('max_')}-{value}" for field, value in limit.items())
            yield scenario(f"early-{name}-{millis}", "G6 G3", f"emit early when full: {name}, limit {millis}", t, ROWS)
    long = feed("in", *((f"k{at % 5}", "v" * (at % 7), at * 3 % 17) for at in range(24)))
    t = Steps()
    t.emit(t("suppress", t.table("in"), until="time_limit", ms=1000, full="emit_early", max_bytes=200))
    yield scenario("early-many-sizes", "G6", "sizes of key, prior, old and new values count", t, long)
    for limit, kept in (({"max_records": 2}, 4), ({"max_bytes": 60}, 2)):
        t = Steps()
        t.emit(t("suppress", t.table("in"), until="time_limit", ms=1000, full="shut_down", **limit))
        yield scenario(f"shut-down-{next(iter(limit))}", "G6", "dies: the buffer is full", t, ROWS[:kept])
    t = Steps()
    a = windowed(t, {"type": "tumbling", "size": 10, "grace": 50}, "count", None)
    t.label(t("suppress", a, until="window_closes", full="shut_down", max_records=2), value="long")
    yield scenario(
        "final-shut-down",
        "G2 G6",
        "dies: a third window waits",
        t,
        feed("in", ("a", "1", 1), ("b", "2", 2), ("a", "3", 3), ("a", "4", 11)),
    )


def refused() -> Iterator[Json]:
    t = Steps()
    t.emit(t("suppress", t.table("in", materialized=store("v", versioned=100)), until="time_limit", ms=5))
    yield scenario("of-versioned", "G7 J12", "refused: a versioned table", t, [])
    t = Steps()
    t.emit(t("suppress", t("count", t("group_by_key", t.stream("in"))), until="window_closes"))
    yield scenario("of-unwindowed", "G2 G7 J12", "refused: final results of a table without windows", t, [])
    t = Steps()
    a = windowed(t, {"type": "tumbling", "size": 10}, "count", None)
    t.label(t("suppress", t("map_values", a, fn="identity"), until="window_closes"), value="long")
    yield scenario(
        "of-windowed-without-serde",
        "G7",
        "dies: no serde can write the mapped value",
        t,
        feed("in", ("a", "x", 1)),
    )


def scenarios() -> Iterator[Json]:
    yield from final_results()
    yield from time_limits()
    yield from buffers()
    yield from refused()
