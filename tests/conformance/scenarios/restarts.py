"""Stop, lose the disk, restore from changelogs and committed offsets (what of area L a record can show)."""

from collections.abc import Callable, Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, prefixed, scenario, store, wall
from tests.conformance.scenarios.windows import SHAPES, windowed

ROWS = feed(
    "in",
    ("a", "x", 5),
    ("b", "y", 9),
    ("a", "z", 7),
    ("c", None, 20),
    (None, "n", 21),
    ("a", "w", 12),
    ("b", None, 3),
    ("b", "q", 30),
    ("d", "x", 31),
)


def count(t: Steps) -> None:
    t.emit(t("count", t("group_by_key", t.stream("in")), materialized=store("c", "long")), "out", "long")


def reduce(t: Steps) -> None:
    t.emit(t("reduce", t("group_by", t.stream("in"), fn="first_char"), reducer="concat"))


def table_chain(t: Steps) -> None:
    source = t.table("in", materialized=store("src"))
    t.emit(t("map_values", source, fn="value_upper", materialized=store("up")))
    t.emit(t("count", t("group_by", source, fn="value_to_key")), "counts", "long")


def in_memory(t: Steps) -> None:
    c = t("count", t("group_by_key", t.stream("in")), materialized=store("c", "long", store="in_memory"))
    t.emit(t("filter", c, pred=["value_gt", 1]), "out", "long")


def unlogged(t: Steps) -> None:
    t.emit(t("count", t("group_by_key", t.stream("in")), materialized=store("c", "long", logging=False)), "out", "long")


def cogroup(t: Steps) -> None:
    one, two = t("group_by_key", t.stream("in")), t("group_by", t.stream("in2"), fn="value")
    t.emit(t("aggregate", t("cogroup", inputs=[[one, "concat"], [two, "concat_key"]]), init=""))


def metadata(t: Steps) -> None:
    t.to(t("process_values", t.stream("in"), processor="metadata"))
    t.to(
        t("process", t("repartition", t("map", t.stream("in2"), fn="value_to_key"), name="r"), processor="metadata"),
        "out2",
    )


def partition_time(t: Steps) -> None:
    s = t("stream", topics=["in"], key="string", value="string", extractor="partition_time_plus_one")
    t.to(t("process_values", s, processor="metadata"))


def versioned(t: Steps) -> None:
    tab = t.table("in", materialized=store("v", versioned=10))
    t.emit(tab)
    t.to(t("left_join", t.stream("in2"), other=tab, joiner="concat"), "joined")


def global_table(t: Steps) -> None:
    g = t("global_table", topic="in", key="string", value="string", materialized=store("g"))
    t.to(t("left_join", t.stream("in2"), other=g, fn="key", joiner="concat"))


SHAPES_OF_STATE: dict[str, tuple[Callable[[Steps], None], str]] = {
    "count": (count, "C2"),
    "reduce": (reduce, "C2 C1"),
    "table-chain": (table_chain, "E1 C4"),
    "in-memory": (in_memory, "I13"),
    "unlogged": (unlogged, "I11"),
    "cogroup": (cogroup, "C8"),
    "metadata": (metadata, "H5 A4 A5"),
    "partition-time": (partition_time, "A4 A1"),
    "versioned": (versioned, "I6 F10"),
    "global-table": (global_table, "E9"),
}


def written() -> Iterator[Json]:
    second = feed("in2", ("a", "a", 10), ("k", "b", 11), ("a", None, 2), (None, "a", 40))
    for name, (build, features) in SHAPES_OF_STATE.items():
        for at in (1, 4, 7):
            t = Steps()
            build(t)
            rows = [row for row in ROWS if name != "global-table" or row["key"] is not None]
            if "in2" in str(t.rows):
                rows = [item for pair in zip(rows, [*second, *second], strict=False) for item in pair]
            events = [*rows[:at], RESTART, *rows[at : at + 3], wall(5), RESTART, *rows[at + 3 :]]
            yield scenario(
                f"{name}-{at}", f"L1 A4 {features}", f"{name}, restarts after {at} and {at + 3} records", t, events
            )
    for shape, (window, rows, features) in SHAPES.items():
        for at in (2, 7, 12):
            for emit in (None, "on_close"):
                t = Steps()
                t.label(windowed(t, window | {"grace": 4}, "aggregate", emit))
                events = [*rows[:at], RESTART, *rows[at:]]
                label = f"{shape}-{at}-{emit or 'updates'}"
                yield scenario(label, f"L1 A6 A7 {features}", "operator time is lost, store time comes back", t, events)
    t = Steps()
    count(t)
    events = [RESTART, *ROWS[:2], RESTART, RESTART, *ROWS[2:4], event("in", "a", "late", 0), RESTART]
    yield scenario("again-and-again", "L1", "before the first record, twice in a row, at the end", t, events)


def scenarios() -> Iterator[Json]:
    yield from prefixed("restart", written())
