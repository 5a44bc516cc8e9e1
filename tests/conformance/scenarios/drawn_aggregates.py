"""Random sequences through aggregates, windows, suppression and tables."""

from collections.abc import Callable

from tests.conformance.scenarios.build import Json, Lambda, Steps, store
from tests.conformance.scenarios.draw import Draw, Mix, letters, longs
from tests.conformance.scenarios.plan import Family, Plan, stores

RESETTING: Lambda = ["concat_reset", "x"]
WINDOWED: dict[str, Json] = {
    "count": {},
    "reduce": {"reducer": "concat"},
    "aggregate": {"init": "", "aggregator": RESETTING},
}
TABLE_OPERATORS: list[tuple[str, Json]] = [
    ("filter", {"pred": ["value_gt", 1]}),
    ("filter_not", {"pred": "is_even"}),
    ("map_values", {"fn": ["add", 3]}),
    ("map_values", {"fn": ["null_if", 4]}),
    ("transform_values", {"fn": ["times", 2]}),
    ("transform_values", {"fn": ["null_to", 5]}),
]


def plain(op: str) -> Callable[[Draw, int], Plan]:
    def build(draw: Draw, seed: int) -> Plan:
        t = Steps()
        number = op != "aggregate"
        s = t.stream("in", "long" if number else "string")
        g = t("group_by", s, fn=["value_mod", 3]) if number and draw.chance(30) else t("group_by_key", s)
        if op == "count":
            t.emit(t("count", g), "out", "long")
        elif op == "reduce":
            reducer = draw.pick(("sum", "max", "min", "last", "sum_null_zero", "subtract", "first"))
            t.emit(t("reduce", g, reducer=reducer), "out", "long")
        else:
            t.emit(t("aggregate", g, init="", aggregator=RESETTING))
        mix = Mix(value=longs if number else letters, restarts=seed % 3 == 0, null_value=6)
        return Plan(t, mix, stores(seed))

    return build


def of_table(draw: Draw, seed: int) -> Plan:
    t = Steps()
    number = draw.chance(50)
    table = t.table("in", "long" if number else "string", **versioned(draw, "long" if number else "string", 20))
    if draw.chance(30):
        table = t("filter", table, pred=["value_gt", 1] if number else ["value_longer", 1])
    mapper: Lambda = ["mod_to_key", 3] if number else draw.pick(("value_to_key", "first_char_to_key"))
    g = t("group_by", table, fn=mapper, key="string", value="long" if number else "string")
    t.emit(t("count", g), "counts", "long")
    if number:
        t.emit(t("reduce", g, adder="sum", subtractor="subtract"), "sums", "long")
        aggregate = t(
            "aggregate", g, init=0, adder="sum_null_zero", subtractor="subtract", materialized=store("agg", "long")
        )
        t.emit(aggregate, "aggregates", "long")
    else:
        t.emit(t("reduce", g, adder="concat", subtractor="remove_first"), "reduced")
        a = t("aggregate", g, init="", adder=["concat_sep", "."], subtractor="remove_first", materialized=store("agg"))
        t.emit(a, "aggregates")
    keys = ("a", "b", "c", "d", "e")
    return Plan(
        t, Mix(keys=keys, value=longs if number else letters, null_value=20, restarts=seed % 3 == 0), stores(seed)
    )


def versioned(draw: Draw, value: str, percent: int) -> Json:
    if not draw.chance(percent):
        return {}
    return {"materialized": store("versions", value, versioned=draw.pick((10, 50, 500)))}


def cogroup(draw: Draw, seed: int) -> Plan:
    t = Steps()
    one = t("group_by_key", t.stream("in"))
    two = t("group_by", t.stream("in2"), fn="first_char") if draw.chance(40) else t("group_by_key", t.stream("in2"))
    c = t("cogroup", inputs=[[one, RESETTING], [two, "last"]])
    if draw.chance(70):
        window, session = any_window(draw)
        w = t("windowed_by", c, window=window)
        t.label(t("aggregate", w, init="", **({"merger": "concat"} if session else {})))
    else:
        t.emit(t("aggregate", c, init=""))
    return Plan(t, Mix(topics=("in", "in2"), restarts=seed % 4 == 0), stores(seed))


def any_window(draw: Draw) -> tuple[Json, bool]:
    kind = draw.pick(("tumbling", "hopping", "sliding", "session"))
    return window_of(kind, draw), kind == "session"


def window_of(kind: str, draw: Draw) -> Json:
    grace = draw.pick((None, 0, 3, 10, 30))
    size = draw.pick((5, 10, 16))
    window: Json = {
        "tumbling": {"type": "tumbling", "size": size},
        "hopping": {"type": "hopping", "size": size, "advance": draw.pick((2, 3, 5))},
        "sliding": {"type": "sliding", "difference": size},
        "session": {"type": "session", "gap": draw.pick((2, 5, 8))},
    }[kind]
    return window if grace is None else window | {"grace": grace}


def windowed(kind: str, emit: str) -> Callable[[Draw, int], Plan]:
    def build(draw: Draw, seed: int) -> Plan:
        t = Steps()
        g = t("group_by_key", t.stream("in"))
        w = t("windowed_by", g, window=window_of(kind, draw), emit=emit)
        op = ("count", "reduce", "aggregate")[seed % 3]
        fields = WINDOWED[op]
        if op == "aggregate" and kind == "session":
            fields = fields | {"merger": "concat"}
        t.label(t(op, w, **fields), value="long" if op == "count" else "string")
        config = stores(seed // 3) | ({"cache_bytes": draw.pick((100, 100_000))} if seed % 5 == 4 else {})
        return Plan(t, Mix(restarts=seed % 4 == 0, late=25, step=3), config)

    return build


def final_results(draw: Draw, seed: int) -> Plan:
    t = Steps()
    window, session = any_window(draw)
    w = t("windowed_by", t("group_by_key", t.stream("in")), window=window | {"grace": draw.pick((0, 4, 20))})
    if draw.chance(50):
        a, value = t("count", w), "long"
    else:
        merger = {"merger": "concat"} if session else {}
        a, value = t("aggregate", w, init="", aggregator="concat", **merger, materialized=store("agg")), "string"
    t.label(t("suppress", a, until="window_closes"), value=value)
    config: Json = {"cache_bytes": 100_000} if seed % 5 == 4 else {}
    return Plan(t, Mix(restarts=seed % 3 == 0), config)


def time_limits(draw: Draw, seed: int) -> Plan:
    t = Steps()
    logging: Json = {"logging": False, "name": "s"} if draw.chance(15) else {}
    t.emit(t("suppress", t.table("in"), until="time_limit", ms=draw.pick((0, 3, 10, 40)), **logging))
    return Plan(t, Mix(keys=("a", "b", "c", "d", "e"), restarts=seed % 3 == 0, headers=10), stores(seed))


def buffers(draw: Draw, seed: int) -> Plan:
    t = Steps()
    limit: Json = draw.pick(
        ({"max_records": 1}, {"max_records": 2}, {"max_records": 4}, {"max_bytes": 70}, {"max_bytes": 160})
    )
    t.emit(t("suppress", t.table("in"), until="time_limit", ms=draw.pick((5, 50, 5000)), full="emit_early", **limit))
    return Plan(t, Mix(keys=("a", "b", "c", "d", "e", "f"), restarts=seed % 4 == 0, headers=10), stores(seed))


def tables(draw: Draw, seed: int) -> Plan:
    """A chain of table operators, stored here and there, with a branch that needs old values."""
    t = Steps()
    source = (
        t("to_table", t.stream("in", "long"))
        if draw.chance(30)
        else t.table("in", "long", **versioned(draw, "long", 25))
    )
    end = source
    for at in range(1 + draw.below(3)):
        op, fields = draw.pick(TABLE_OPERATORS)
        more: Json = {"materialized": store(f"st{at}", "long")} if draw.chance(35) else {}
        end = t(op, end, **fields, **more)
        t.emit(end, f"out{at}", "long")
    if draw.chance(50):
        g = t("group_by", end, fn=["mod_to_key", 2], key="string", value="long")
        t.emit(t("reduce", g, adder="sum", subtractor="subtract"), "sums", "long")
    config = stores(seed) | ({"optimization": "all"} if draw.chance(40) else {})
    config |= {"cache_bytes": draw.pick((90, 100_000))} if draw.chance(20) else {}
    return Plan(t, Mix(keys=("a", "b", "c", "d"), value=longs, null_value=20, restarts=seed % 3 == 0), config)


def cached(draw: Draw, seed: int) -> Plan:
    """Several updates within one commit, through a cache that may be too small."""
    t = Steps()
    words = t("flat_map", t.stream("in"), fn="words_to_keys")
    g = t("group_by_key", t("flat_map_values", words, fn=["repeat", 2]), name="g", key="string", value="string")
    c = t("count", g, materialized=store("counts", "long"))
    t.emit(c, "counts", "long")
    t.emit(t("aggregate", g, init="", aggregator=RESETTING, materialized=store("agg")), "aggregates")
    byes = t("group_by", c, fn=["mod_to_key", 3], key="string", value="long")
    t.emit(t("count", byes, materialized=store("again", "long")), "again", "long")
    size = draw.pick((1, 60, 150, 400, 1_000_000))
    return Plan(t, Mix(keys=("a", "x", "b"), restarts=seed % 4 == 0), {"cache_bytes": size} | stores(seed))


FAMILIES: dict[str, Family] = {
    "count": Family("C1 C2", "count of random records", plain("count")),
    "reduce": Family("C1 C2 A9 A10", "reduce over random records", plain("reduce")),
    "aggregate": Family("C1 C2 A9 A10", "aggregate over random records, deleted now and then", plain("aggregate")),
    "table-aggregates": Family("C4 C5 C6 E8", "count, reduce and aggregate of a table", of_table),
    "cogroup": Family("C8", "two random inputs in one aggregate, windowed or not", cogroup),
    **{
        f"{kind}-{emit.replace('_', '-')}": Family(
            f"{features} {'D14 D15' if emit == 'on_close' else 'D13'}", f"{kind} windows, {emit}", windowed(kind, emit)
        )
        for kind, features in (
            ("tumbling", "D1 D2"),
            ("hopping", "D1 D2"),
            ("sliding", "D7 D8 D9 D10"),
            ("session", "D4 D5 D6"),
        )
        for emit in ("on_update", "on_close")
    },
    "suppress-final": Family("G2 G3 G5", "final results of random windows", final_results),
    "suppress-limit": Family("G1 G3 G4", "a random table held back", time_limits),
    "suppress-buffer": Family("G6 G3", "a random table held back in a small buffer", buffers),
    "table-chains": Family("E1 E2 E4 E5 E6 E8", "random chains of table operators", tables),
    "cache": Family("K2 K3 K4 K5", "random updates through a cache", cached),
}
