"""Random command sequences for stores, and random runs of processors and optimized topologies."""

from collections.abc import Callable

from tests.conformance.scenarios.build import RESTART, Json, Steps, event
from tests.conformance.scenarios.draw import Draw, Mix, longs
from tests.conformance.scenarios.optimization import SHAPES
from tests.conformance.scenarios.plan import Family, Plan

KEYS = ("a", "ab", "b", "c", "aa")
COMMANDS = 220

STREAM_OPERATORS: list[tuple[str, Json]] = [
    ("filter", {"pred": "is_even"}),
    ("filter_not", {"pred": ["value_gt", 4]}),
    ("map_values", {"fn": ["add", 1]}),
    ("peek", {"label": "p"}),
    ("map", {"fn": ["mod_to_key", 3]}),
    ("select_key", {"fn": ["value_mod", 2]}),
    ("flat_map", {"fn": "twice"}),
    ("flat_map_values", {"fn": ["repeat", 2]}),
    ("map_values", {"fn": ["null_if", 3]}),
    ("process", {"processor": ["shift_ts", 2]}),
]


def kv_command(draw: Draw, now: int) -> tuple[str, str]:
    key, value = draw.pick(KEYS), draw.pick(("1", "2", "3", "-"))
    low, high = draw.pick((*KEYS, "-")), draw.pick((*KEYS, "-"))
    return key, draw.pick(
        (
            f"put {value}",
            f"put {value}",
            f"put {value}",
            f"absent {value}",
            "del",
            "get",
            "get",
            f"range {low} {high}",
            f"rrange {low} {high}",
            "all",
            "rall",
            f"prefix {draw.pick(('a', 'b', 'aa'))}",
            f"putall {draw.pick(KEYS)} {value} {draw.pick(KEYS)} 9",
        )
    )


def window_command(draw: Draw, now: int) -> tuple[str, str]:
    key, value = draw.pick(KEYS), draw.pick(("1", "2", "3", "-"))
    start = near(draw, now)
    low, high = draw.pick((*KEYS, "-")), draw.pick((*KEYS, "-"))
    one, two = sorted((near(draw, now), near(draw, now)))
    return key, draw.pick(
        (
            f"put {value} {start}",
            f"put {value} {start}",
            f"put {value} {now}",
            f"get {start}",
            f"fetch {one} {two}",
            f"rfetch {one} {two}",
            f"fetchk {low} {high} {one} {two}",
            f"rfetchk {low} {high} {one} {two}",
            f"fetchall {one} {two}",
            f"rfetchall {one} {two}",
            "all",
            "rall",
        )
    )


def session_command(draw: Draw, now: int) -> tuple[str, str]:
    key, value = draw.pick(KEYS), draw.pick(("1", "2", "3", "-"))
    start = near(draw, now)
    end = start + draw.below(12)
    low, high = draw.pick((*KEYS, "-")), draw.pick((*KEYS, "-"))
    one, two = near(draw, now), near(draw, now)
    return key, draw.pick(
        (
            f"put {value} {start} {end}",
            f"put {value} {start} {end}",
            f"put {value} {now} {now}",
            f"del {start} {end}",
            f"get {start} {end}",
            f"find {one} {two}",
            f"rfind {one} {two}",
            f"findk {low} {high} {one} {two}",
            "fetch",
            "rfetch",
        )
    )


def versioned_command(draw: Draw, now: int) -> tuple[str, str]:
    key, value = draw.pick(("a", "b", "c")), draw.pick(("1", "2", "3", "4", "-"))
    at = near(draw, now)
    return key, draw.pick(
        (f"put {value} {at}", f"put {value} {at}", f"put {value} {now}", f"del {at}", "get", f"asof {at}", f"asof {at}")
    )


def near(draw: Draw, now: int) -> int:
    return max(0, now - draw.below(130)) if draw.chance(15) else max(0, now - draw.below(30))


def commands(
    kind: str, make: Callable[[Draw, int], tuple[str, str]], options: Callable[[Draw], Json]
) -> Callable[[Draw, int], Plan]:
    def build(draw: Draw, seed: int) -> Plan:
        t = Steps()
        fields = options(draw)
        if kind != "versioned":
            fields |= draw.pick(({}, {"persistent": False}, {"caching": True}, {"persistent": False, "caching": True}))
        t("add_store", store="st", kind=kind, key="string", value="string", **fields)
        family = "kv" if kind == "timestamped_kv" else kind
        t.to(t("process", t.stream("in"), processor=[f"{family}_commands", "st"], stores=["st"]))
        now, events = 0, []
        restart = 60 + draw.below(100) if seed % 2 else -1
        for at in range(COMMANDS):
            now += draw.below(4) if not draw.chance(2) else 150
            key, command = make(draw, now)
            events += [RESTART] if at == restart else []
            events.append(event("in", key, command, at))
        return Plan(t, config={"cache_bytes": 100_000} if fields.get("caching") else {}, events=events)

    return build


def retention(draw: Draw) -> Json:
    return {"retention": draw.pick((30, 100, 70_000))}


def window_options(draw: Draw) -> Json:
    return retention(draw) | {"size": 10} | ({"duplicates": True} if draw.chance(30) else {})


def processors(draw: Draw, seed: int) -> Plan:
    t = Steps()
    s = t.stream("in")
    kinds = ("kv", "timestamped_kv", "lru")
    for at, (processor, value) in enumerate((("count_in", "long"), ("dedup", "string"), ("store_put", "string"))):
        kind = draw.pick(kinds)
        capacity: Json = {"capacity": 2} if kind == "lru" else {}
        t("add_store", store=f"st{at}", kind=kind, key="string", value=value, **capacity)
        t.to(t("process", s, processor=[processor, f"st{at}"], stores=[f"st{at}"]), f"out{at}", value)
    t.to(t("process_values", s, processor=["lookup", "st2"], stores=["st2"]), "looked-up")
    return Plan(t, Mix(restarts=seed % 2, null_key=8))


def punctuators(draw: Draw, seed: int) -> Plan:
    t = Steps()
    ticks = (
        ["tick_stream", 3 + draw.below(20)],
        ["tick_wall", 3 + draw.below(20)],
        ["tick_stream_from", draw.below(40), 7],
        ["tick_once", 9],
        ["tick_wall_from", draw.below(40), 11],
    )
    t.to(t("process", t.stream("in"), processor=ticks[seed % len(ticks)]))
    return Plan(t, Mix(tick=25, restarts=seed % 3 == 0))


def optimized(draw: Draw, seed: int) -> Plan:
    t = Steps()
    shapes = [shape for name, shape in SHAPES.items() if name != "cogrouped"]
    shapes[seed % len(shapes)](t)
    topics = sorted(
        {
            topic
            for row in t.rows
            if row["op"] in ("stream", "table")
            for topic in [*row.get("topics", []), row.get("topic")]
            if topic
        }
    )
    return Plan(t, Mix(topics=topics, restarts=seed % 3 == 0), {"optimization": draw.pick(("none", "all", "all"))})


def routes(draw: Draw, seed: int) -> Plan:
    """Stateless operators in a random row, branching and merging."""
    t = Steps()
    ends = [t.stream("in", "long")]
    for _ in range(3 + draw.below(4)):
        op, fields = draw.pick(STREAM_OPERATORS)
        ends.append(t(op, draw.pick(ends), **fields))
        if draw.chance(20):
            ends.append(t("merge", draw.pick(ends), other=draw.pick(ends)))
    for at, end in enumerate(ends[1:]):
        t.to(end, f"out{at}", "long")
    c = t("count", t("group_by_key", ends[-1], key="string", value="long", name="g"))
    t.emit(c, "counts", "long")
    return Plan(t, Mix(value=longs, null_key=15, restarts=seed % 5 == 0))


FAMILIES: dict[str, Family] = {
    "kv-commands": Family(
        "I1 I11 I12", "random commands on a key-value store", commands("kv", kv_command, lambda draw: {})
    ),
    "timestamped-commands": Family(
        "I2 I11 I12", "random commands on a timestamped store", commands("timestamped_kv", kv_command, lambda draw: {})
    ),
    "window-commands": Family(
        "I3 I4 I11 I12", "random commands on a window store", commands("window", window_command, window_options)
    ),
    "session-commands": Family(
        "I5 I11 I12", "random commands on a session store", commands("session", session_command, retention)
    ),
    "versioned-commands": Family(
        "I6 I7 I11",
        "random commands on a versioned store",
        commands("versioned", versioned_command, lambda draw: {"history": draw.pick((20, 60, 1000, 100_000))}),
    ),
    "stateful-processors": Family(
        "H12 I1 I2", "count_in, dedup, store_put and lookup on stores of every kind", processors
    ),
    "punctuators": Family("H7 H8 H9 H10", "a punctuator under random records and wall-clock steps", punctuators),
    "optimized": Family("J6 J7 J8", "the optimizer's topologies under random records", optimized),
    "routes": Family("B3 B4 B5 B7", "random rows of stateless operators", routes),
}
