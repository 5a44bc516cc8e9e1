"""Random sequences through every join."""

from collections.abc import Callable

from tests.conformance.scenarios.build import Json, Steps, given, store
from tests.conformance.scenarios.draw import Draw, Mix, letters
from tests.conformance.scenarios.plan import Family, Plan, stores

SERDES: Json = {"key": "string", "value": "string", "other_value": "string"}
BOTH = ("left", "right")


def span(draw: Draw) -> Json:
    before, after = draw.pick(((3, 3), (5, 5), (0, 6), (6, 0), (10, 2), (-2, 6), (8, -3)))
    grace = draw.pick((None, 0, 2, 10, 100))
    window: Json = {"before": before, "after": after}
    return window if grace is None else window | {"grace": grace}


def streams(op: str) -> Callable[[Draw, int], Plan]:
    def build(draw: Draw, seed: int) -> Plan:
        t = Steps()
        a, b = t.stream("left"), t.stream("right")
        if draw.chance(25):
            a = t("select_key", a, fn="key")
        t.to(t(op, a, other=b, joiner=draw.pick(("concat", "with_key")), window=span(draw), **SERDES))
        return Plan(t, Mix(topics=BOTH, step=3, restarts=seed % 3 == 0, null_key=6, late=20), stores(seed))

    return build


def self_join(draw: Draw, seed: int) -> Plan:
    t = Steps()
    s = t.stream("in")
    op = draw.pick(("join", "join", "left_join", "outer_join"))
    window = span(draw)
    t.to(t(op, s, other=s, joiner="concat", window=window, **SERDES))
    config = stores(seed // 2) | ({"optimization": "single.store.self.join"} if seed % 2 else {})
    return Plan(t, Mix(step=3, restarts=seed % 5 == 0), config)


def lookups(kind: str) -> Callable[[Draw, int], Plan]:
    def build(draw: Draw, seed: int) -> Plan:
        t = Steps()
        versions = None if kind == "table" else store("v", versioned=draw.pick((10, 40, 400)))
        table = t.table("right", **given(materialized=versions))
        s = t.stream("left")
        s = t("map", s, fn="identity") if draw.chance(20) else s
        for name, op in (("inner", "join"), ("left", "left_join")):
            t.to(t(op, s, other=table, joiner="concat", **SERDES), f"out-{name}")
        return Plan(t, Mix(topics=BOTH, restarts=seed % 3 == 0, null_key=5), stores(seed))

    return build


def grace(draw: Draw, seed: int) -> Plan:
    t = Steps()
    history = draw.pick((20, 60, 600))
    table = t.table("right", materialized=store("v", versioned=history))
    op = draw.pick(("join", "left_join"))
    t.to(t(op, t.stream("left"), other=table, joiner="concat", **SERDES, grace=draw.pick((0, 3, 10, 20))))
    # Java's left join with grace dies of a null key, and its buffer is restored under wrong keys and times
    return Plan(t, Mix(topics=BOTH, step=3, null_key=0))


def global_table(draw: Draw, seed: int) -> Plan:
    t = Steps()
    g = t("global_table", topic="glob", key="string", value="string", materialized=store("g"))
    s = t.stream("in")
    fn = draw.pick(("key", "fk"))
    t.to(t("join", s, other=g, fn=fn, joiner="concat"), "inner")
    t.to(t("left_join", s, other=g, fn=fn, joiner="with_key"), "left")
    values: dict[str, Callable[[Draw], object]] = {"glob": letters, "in": references}
    mix = Mix(topics=("in", "glob"), value=values, restarts=seed % 3 == 0, never_null=("glob",), null_key=8)
    return Plan(t, mix, stores(seed))


def references(draw: Draw) -> str:
    """A text with a foreign key before the bar, or none."""
    return draw.pick(("a|", "b|", "c|", "z|", "")) + str(draw.below(4))


def tables(op: str) -> Callable[[Draw, int], Plan]:
    def build(draw: Draw, seed: int) -> Plan:
        t = Steps()
        a, b = (t.table(topic, **versioned(draw, topic)) for topic in BOTH)
        if draw.chance(25):
            a = t("filter", a, pred=["value_longer", 1])
        if draw.chance(25):
            b = t("map_values", b, fn=["null_if", "p"])
        j = t(op, a, other=b, joiner="concat", **({"materialized": store("res")} if draw.chance(50) else {}))
        t.emit(j)
        if draw.chance(40):
            g = t("group_by", j, fn=["const_key", "all"], key="string", value="string")
            t.emit(
                t(
                    "aggregate",
                    g,
                    init="",
                    adder=["concat_sep", ","],
                    subtractor="remove_first",
                    materialized=store("agg"),
                ),
                "all",
            )
        config = stores(seed) | ({"cache_bytes": draw.pick((100, 100_000))} if draw.chance(20) else {})
        config |= {"optimization": "all"} if draw.chance(30) else {}
        return Plan(t, Mix(topics=BOTH, keys=("a", "b", "c", "d"), null_value=25, restarts=seed % 3 == 0), config)

    return build


def versioned(draw: Draw, topic: str) -> Json:
    if not draw.chance(25):
        return {}
    return {"materialized": store(f"{topic}-versions", versioned=draw.pick((10, 100)))}


def foreign(op: str) -> Callable[[Draw, int], Plan]:
    def build(draw: Draw, seed: int) -> Plan:
        t = Steps()
        a, b = (t.table(topic, **versioned(draw, topic)) for topic in BOTH)
        if draw.chance(20):
            a = t("map_values", a, fn=["append", "!"])
        fields: Json = {"materialized": store("res")} if draw.chance(50) else {}
        j = t(op, a, other=b, fk="fk", joiner="concat", **fields)
        t.emit(j)
        if draw.chance(30):
            t.emit(t("count", t("group_by", j, fn="value_to_key")), "counts", "long")
        values: dict[str, Callable[[Draw], object]] = {"left": references, "right": letters}
        mix = Mix(topics=BOTH, keys=("a", "b", "c"), value=values, null_value=18, restarts=seed % 3 == 0)
        return Plan(t, mix, stores(seed))

    return build


FAMILIES: dict[str, Family] = {
    "stream-inner-join": Family("F1 F2 A8", "windowed inner join", streams("join")),
    "stream-left-join": Family("F3 F4 F5 F6 A8", "windowed left join", streams("left_join")),
    "stream-outer-join": Family("F3 F4 F5 F6 A8", "windowed outer join", streams("outer_join")),
    "stream-self-join": Family("F7", "a stream with itself, with two stores or one", self_join),
    "stream-table-join": Family("F9", "inner and left join with a table", lookups("table")),
    "stream-versioned-join": Family("F10 I6", "inner and left join with a versioned table", lookups("versioned")),
    "stream-grace-join": Family("F11 I9", "a join that waits for its table", grace),
    "stream-global-join": Family("F12 E9", "inner and left join with a global table", global_table),
    "table-inner-join": Family("F13 F15 E8", "inner join of tables", tables("join")),
    "table-left-join": Family("F14 F15 E8", "left join of tables", tables("left_join")),
    "table-outer-join": Family("F14 F15 E8", "outer join of tables", tables("outer_join")),
    "foreign-inner-join": Family("F16 F17 F18", "inner join by foreign key", foreign("join")),
    "foreign-left-join": Family("F16 F17 F18", "left join by foreign key", foreign("left_join")),
}
