"""The record cache (K2-K5): what it swallows, in which order it is flushed and evicted."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, given, scenario, store, wall
from tests.conformance.scenarios.windows import SHAPES, windowed

ROWS = feed(
    "in",
    ("a", "x", 1),
    ("b", "y", 5),
    ("a", "z", 3),
    ("a", None, 4),
    ("c", None, 6),
    ("b", None, 7),
    ("b", None, 8),
    ("a", "q", 2),
    ("d", "w w", 9),
)
SIZES = (1_000_000, 1, 150)


def tables() -> Iterator[Json]:
    for size in SIZES:
        for kind in ("stored", "bare", "chain", "old-values"):
            t = Steps()
            source = t.table("in", **given(materialized=None if kind == "bare" else store("st")))
            if kind == "chain":
                source = t(
                    "filter",
                    t("map_values", source, fn="value_upper", materialized=store("up")),
                    pred=["value_longer", 1],
                )
            if kind == "old-values":
                g = t("group_by", source, fn="first_char_to_key")
                source = t("reduce", g, adder="concat", subtractor="remove_first", materialized=store("red"))
            t.emit(source)
            yield scenario(
                f"table-{kind}-{size}",
                "K2 K3 K4 K5 E4",
                f"a cached table, {kind}, {size} bytes",
                t,
                ROWS,
                cache_bytes=size,
            )
        t = Steps()
        words = t("flat_map", t.stream("in"), fn="words_to_keys")
        c = t("count", t("group_by_key", words), materialized=store("c", "long"))
        r = t(
            "reduce",
            t("group_by_key", t("flat_map_values", t.stream("in"), fn="chars")),
            reducer="concat",
            materialized=store("r"),
        )
        t.emit(c, "counts", "long")
        t.emit(r, "reduced")
        yield scenario(
            f"several-updates-{size}",
            "K2 K3 K4",
            "several updates of one key in one commit",
            t,
            feed("in", ("a", "x y x", 1), ("b", "aabca", 2), ("a", "z z z x", 5), (None, "q q", 3), ("b", "", 4)),
            cache_bytes=size,
        )
        t = Steps()
        p = t("process", t("flat_map_values", t.stream("in"), fn="split_words"), processor="twice")
        t.emit(t("to_table", p, materialized=store("kept")))
        yield scenario(
            f"last-write-wins-{size}",
            "K2 K4",
            "one row per key and commit",
            t,
            feed("in", ("a", "p q r", 1), ("b", "s", 2), ("a", "t u", 0)),
            cache_bytes=size,
        )
    for size in (40, 60, 80, 120, 300):
        t = Steps()
        words = t("flat_map", t.stream("in"), fn="words_to_keys", name="words")
        t.emit(
            t(
                "count",
                t("group_by_key", t("process", words, processor="forward", name="p"), name="g"),
                materialized=store("c", "long"),
            ),
            "out",
            "long",
        )
        t.emit(t("to_table", t("flat_map_values", t.stream("other"), fn="chars"), materialized=store("t")), "out2")
        rows = [
            event("in", "k", "a b c d e a b", 1),
            event("other", "x", "stuvw", 2),
            event("in", "k", "e d c", 3),
            event("other", "y", "q", 1),
        ]
        yield scenario(f"eviction-{size}", "K3", f"a cache of {size} bytes evicts", t, rows, cache_bytes=size)


def aggregates() -> Iterator[Json]:
    for shape, (window, rows, features) in SHAPES.items():
        for size in (1_000_000, 200):
            t = Steps()
            t.label(windowed(t, window | {"grace": 5}, "aggregate", None))
            yield scenario(
                f"{shape}-{size}",
                f"K2 K4 K5 {features}",
                f"cached {shape} windows, {size} bytes",
                t,
                rows,
                cache_bytes=size,
            )
        t = Steps()
        s = t("flat_map_values", t.stream("in"), fn=["repeat", 3])
        w = t("windowed_by", t("group_by_key", s), window=window | {"grace": 5})
        t.label(t("count", w), value="long")
        yield scenario(
            f"{shape}-repeated",
            f"K4 {features}",
            "three updates of a window in one commit",
            t,
            rows,
            cache_bytes=100_000,
        )
        t = Steps()
        t.label(windowed(t, window | {"grace": 5}, "reduce", "on_close"))
        yield scenario(
            f"{shape}-final", f"K5 D14 {features}", "final results with a cache", t, rows, cache_bytes=100_000
        )
        t = Steps()
        a = windowed(t, window | {"grace": 5}, "count", None)
        t.label(t("suppress", a, until="window_closes"), value="long")
        yield scenario(
            f"{shape}-suppressed", f"K5 G2 {features}", "suppression behind a cache", t, rows, cache_bytes=100_000
        )
    for cached in (True, False):
        t = Steps()
        s = t("flat_map_values", t.stream("in"), fn=["repeat", 2])
        t.emit(t("reduce", t("group_by_key", s), reducer="concat", materialized=store("r", caching=cached)))
        yield scenario(
            f"caching-{cached}", "K2 I12 C9", f"Materialized with caching {cached}", t, ROWS, cache_bytes=100_000
        )


def others() -> Iterator[Json]:
    for size in (0, 100_000):
        t = Steps()
        t("add_store", store="st", kind="kv", key="string", value="long", caching=True)
        s = t("flat_map_values", t.stream("in"), fn=["repeat", 2])
        t.to(t("process", s, processor=["count_in", "st"], stores=["st"]), "out", "long")
        yield scenario(f"papi-store-{size}", "I12 K2", "a cached store of a processor", t, ROWS, cache_bytes=size)
        for op in ("join", "left_join", "outer_join"):
            t = Steps()
            a, b = t.table("in"), t.table("other")
            t.emit(t(op, a, other=b, joiner="concat", materialized=store("res")))
            rows = [row | {"topic": "in" if at % 3 else "other"} for at, row in enumerate([*ROWS, *ROWS])]
            yield scenario(f"{op}-of-tables-{size}", "K4 F13 F14", "a join of cached tables", t, rows, cache_bytes=size)
        t = Steps()
        a, b = t.table("in"), t.table("other")
        t.emit(t("left_join", a, other=b, fk="value", joiner="concat", materialized=store("res")))
        rows = [*ROWS, *feed("other", ("x", "X", 1), ("q", "Q", 2), ("x", None, 3))]
        yield scenario(
            f"foreign-join-{size}", "K4 F16", "a foreign-key join of cached tables", t, rows, cache_bytes=size
        )
    t = Steps()
    p = t("process", t.stream("in"), processor=["tick_wall", 5])
    t.emit(t("count", t("group_by_key", p)), "out", "long")
    yield scenario(
        "flush-on-wall-clock",
        "K4 K6 H8",
        "a wall-clock step commits too",
        t,
        [*ROWS[:2], wall(5), wall(20), *ROWS[2:4]],
        cache_bytes=1000,
    )
    t = Steps()
    t.emit(t("count", t("group_by_key", t.stream("in")), materialized=store("c", "long")), "out", "long")
    yield scenario(
        "restart",
        "K4 L1",
        "nothing is left in the cache at a restart",
        t,
        [*ROWS[:5], RESTART, *ROWS[5:]],
        cache_bytes=1000,
    )
    t = Steps()
    t.emit(
        t("count", t("group_by_key", t.stream("in")), materialized=store("c", "long", store="in_memory")), "out", "long"
    )
    yield scenario("in-memory", "K2 I13", "a cache over an in-memory store", t, ROWS, cache_bytes=1000)


def scenarios() -> Iterator[Json]:
    yield from tables()
    yield from aggregates()
    yield from others()
