"""State stores driven by commands: key-value, window, session and versioned, of every make (area I)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, scenario

KV = """\
a put 1|b put 2|ab put 3|a absent 9|c absent 4|a get|- range a b|- range - b|- range b -|- range - -|- range c a
- rrange a -|- rrange - ab|- rrange a b|- all|- rall|- prefix a|- prefix ab|- prefix x|a put 10|a get|a del
zz del|a get|b put -|b get|c absent -|e absent -|- putall x 1 y - a 5 b 6|- all|- putall x - a -|- all|ab del
ab absent 7|- rall|a.b put 1|aa put 2|- range a ab|- prefix a"""
WINDOW = """\
a put x 0|a put y 10|b put z 5|a get 10|a get 11|a fetch 0 10|a rfetch 0 10|a fetch 1 9|a fetch 10 0
- fetchk a b 0 9|- rfetchk - b 0 20|- fetchk - - 0 100|- fetchk b - 0 100|- fetchall 5 10|- rfetchall 0 10|- all
- rall|a put - 10|a get 10|- all|ab put m 7|a put n 7|aa put o 3|- fetchk a ab 0 10|- all|a put again 0|a get 0
c put w 105|- all|a put late 4|a get 4|a get 6|a put edge 6|a get 6|a fetch 0 200|- fetchall 0 300
c put far 1000|- all|a put x 901|a put y 900|- all|- rall|a fetch 0 2000|- fetchall 0 2000|a put - 901|- all"""
SESSION = """\
a put x 0 5|a put y 10 12|b put z 3 3|a get 0 5|a get 0 6|a find 5 10|a find 6 9|a find 0 50|a rfind 0 50
a find 5 0|a find 12 12|- findk a b 0 10|- findk - b 0 50|- findk a - 0 50|- findk - - 0 50|a fetch|a rfetch
b fetch|a put xx 0 5|a fetch|a del 0 5|a fetch|a del 7 8|a put - 10 12|a fetch|ab put m 1 2|aa put n 1 9
a put o 1 9|- findk a ab 0 20|c put w 120 130|b fetch|a fetch|a put late 3 4|a fetch|a put edge 20 30|a fetch
a put edge 20 31|a fetch|a get 20 31|c rfetch|- findk - - 0 500"""
VERSIONED = """\
a put x 10|a put z 30|a put y 20|a get|a asof 25|a asof 20|a asof 19|a asof 9|a del 25|a asof 26|a asof 24
a asof 31|a put - 40|a get|a asof 35|a asof 45|b put w 60|b put v 60|b get|a put u 15|a asof 17|a asof 22
b del 60|b get|b del 70|a put early 12|c put q 100|a put late 49|a put edge 50|a asof 50|a asof 49|a get
a asof 60|c put r 100|c get|c del 99|c get|c put s 150|a put past 101|a get|c asof 149|c asof 151|d del 150
d put t 151|d asof 150|d asof 151|d get"""


def play(kind: str, script: str, step: int = 1, **options: object) -> tuple[Steps, list[Json]]:
    """A store of this kind, and one event per command of a script `key command|key command`."""
    t = Steps()
    key, value = ("string", "string")
    t("add_store", store="st", kind=kind, key=key, value=value, **options)
    p = t("process", t.stream("in"), processor=[f"{'kv' if kind in KEYED else kind}_commands", "st"], stores=["st"])
    t.to(p)
    commands = [line.split(" ", 1) for line in script.replace("\n", "|").split("|")]
    return t, [event("in", key, command, at * step) for at, (key, command) in enumerate(commands)]


KEYED = ("kv", "timestamped_kv", "lru")
MAKES: dict[str, Json] = {
    "rocksdb": {},
    "in-memory": {"persistent": False},
    "cached": {"caching": True},
    "unlogged": {"logging": False},
    "in-memory-cached": {"persistent": False, "caching": True},
}
KINDS: dict[str, tuple[str, str, Json]] = {
    "kv": (KV, "I1 I11", {}),
    "timestamped_kv": (KV, "I2 I11", {}),
    "window": (WINDOW, "I3 I4 I11", {"retention": 100, "size": 10}),
    "window-long": (WINDOW, "I3 I4", {"retention": 200_000, "size": 10}),
    "session": (SESSION, "I5 I11", {"retention": 100}),
    "session-long": (SESSION, "I5", {"retention": 200_000}),
}


def makes() -> Iterator[Json]:
    for kind, (script, features, options) in KINDS.items():
        for make, more in MAKES.items():
            t, events = play(kind.removesuffix("-long"), script, **(options | more))
            config = {"cache_bytes": 1_000_000} if "caching" in more else {}
            yield scenario(
                f"{kind}-{make}", features + " I12", f"every command on a {kind} store, {make}", t, events, **config
            )
    for history in (50, 10, 1000, 100_000):
        t, events = play("versioned", VERSIONED, history=history)
        yield scenario(f"versioned-{history}", "I6 I7 I11", f"every command, history {history} ms", t, events)
    t, events = play("versioned", VERSIONED, history=50, logging=False)
    yield scenario("versioned-unlogged", "I6", "nothing is logged", t, events)
    for capacity in (1, 2, 3):
        script = """\
a put 1|b put 2|c put 3|a get|b get|c get|d put 4|a put 5|- all|c put -|e put 6|a absent 7|a get|b del
- putall x 1 y 2 z 3|x get"""
        t, events = play("lru", script, capacity=capacity)
        yield scenario(f"lru-{capacity}", "I1 I11", "the oldest entry goes, logged as a tombstone", t, events)
    t, events = play("lru", "a put 1|- range a b|- rall|- prefix a|- rrange a b|- all|- range - -", capacity=3)
    yield scenario("lru-refusals", "I1", "what an LRU store does not do", t, events)


def duplicates() -> Iterator[Json]:
    script = """\
a put x 0|a put y 0|a put x 0|b put z 0|a put w 5|a fetch 0 10|a rfetch 0 10|- all|- rall|a put - 0|a fetch 0 10
- fetchk a b 0 10|a get 0|- fetchall 0 5|c put q 200|a fetch 0 300|- all"""
    for make, more in MAKES.items():
        t, events = play("window", script, retention=100, size=10, duplicates=True, **more)
        config = {"cache_bytes": 1_000_000} if "caching" in more else {}
        yield scenario(
            f"window-duplicates-{make}", "I3 F2", f"equal keys and starts are kept apart, {make}", t, events, **config
        )


def restarts() -> Iterator[Json]:
    for kind, (script, features, options) in KINDS.items():
        for make in ("rocksdb", "in-memory"):
            t, events = play(kind.removesuffix("-long"), script, **(options | MAKES[make]))
            third = len(events) // 3
            events = [*events[:third], RESTART, *events[third : 2 * third], RESTART, *events[2 * third :]]
            yield scenario(
                f"{kind}-{make}-restart", features + " L1 A7", f"a {kind} store is restored twice, {make}", t, events
            )
    t, events = play("versioned", VERSIONED, history=50)
    yield scenario(
        "versioned-restart",
        "I6 I7 L1 A7",
        "a versioned store is restored twice",
        t,
        [*events[:14], RESTART, *events[14:29], RESTART, *events[29:]],
    )
    t, events = play("kv", KV, logging=False)
    yield scenario(
        "kv-unlogged-restart", "I11 L1", "a store without a changelog is lost", t, [*events[:14], RESTART, *events[14:]]
    )
    t, events = play("lru", "a put 1|b put 2|c put 3|a get|- all|d put 4|- all|a get|b get", capacity=2)
    yield scenario("lru-restart", "I1 L1", "an LRU store after a restart", t, [*events[:4], RESTART, *events[4:]])


def typed() -> Iterator[Json]:
    t = Steps()
    t("add_store", store="st", kind="kv", key="integer", value="long")
    t.to(
        t(
            "process",
            t("stream", topics=["in"], key="integer", value="string"),
            processor=["kv_commands", "st"],
            stores=["st"],
        ),
        "out",
        key="integer",
    )
    commands = [
        (5, "put 50"),
        (-1, "put 10"),
        (3, "put 30"),
        (0, "all"),
        (0, "rall"),
        (0, "range 3 5"),
        (0, "range - 4"),
        (0, "range 0 -1"),
        (-1, "get"),
    ]
    yield scenario(
        "kv-integers",
        "I1",
        "range order is that of unsigned bytes: -1 comes last",
        t,
        [event("in", key, command, at) for at, (key, command) in enumerate(commands)],
    )
    t = Steps()
    t("add_store", store="one", kind="kv", key="string", value="string")
    t("add_store", store="two", kind="timestamped_kv", key="string", value="string")
    s = t.stream("in")
    t("process", s, processor=["store_put", "one"], stores=["one"], name="p1")
    t("process", s, processor=["store_put", "two"], stores=["two"], name="p2")
    t.to(t("process_values", s, processor=["lookup", "one"], stores=["one"]), "plain")
    t.to(t("process_values", s, processor=["lookup", "two"], stores=["two"]), "timed")
    rows = [
        event("in", "a", "x", 5),
        event("in", "a", "y", 3),
        event("in", None, "n", 4),
        event("in", "a", None, 9),
        event("in", "b", "z", 1),
    ]
    yield scenario("two-stores", "I1 I2 H12", "a plain and a timestamped store side by side", t, rows)


def with_headers() -> Iterator[Json]:
    """The opt-in store format that keeps headers: they ride on the changelog's records."""
    events = [
        event("in", "a", "x", 1, ("h", "1")),
        event("in", "a", "y", 12, ("h", "2"), ("i", None)),
        event("in", "b", "z", 3),
        event("in", "a", None, 4, ("h", "3")),
        event("in", "b", "w", 30, ("h", "4")),
        event("in", "a", "v", 2),
    ]
    events = [*events, RESTART, event("in", "a", "u", 31, ("h", "5")), event("in", "b", None, 32)]
    config = {"props": {"dsl.store.format": "headers"}}
    t = Steps()
    t.emit(
        t(
            "map_values",
            t.table("in", materialized={"name": "tab", "key": "string", "value": "string"}),
            fn="value_upper",
        )
    )
    yield scenario("headers-table", "I10", "a table that keeps headers", t, events, **config)
    t = Steps()
    g = t("group_by_key", t.stream("in"))
    t.emit(t("count", g), "counts", "long")
    t.emit(t("aggregate", g, init="", aggregator="concat"), "aggregates")
    yield scenario("headers-aggregates", "I10", "aggregates that keep headers", t, events, **config)
    for kind in ("tumbling", "session"):
        t = Steps()
        window = (
            {"type": "tumbling", "size": 10, "grace": 20}
            if kind == "tumbling"
            else {"type": "session", "gap": 5, "grace": 20}
        )
        merger = {"merger": "concat"} if kind == "session" else {}
        w = t("windowed_by", t("group_by_key", t.stream("in")), window=window)
        t.label(t("aggregate", w, init="", aggregator="concat", **merger))
        yield scenario(f"headers-{kind}", "I10", f"{kind} windows that keep headers", t, events, **config)


def scenarios() -> Iterator[Json]:
    yield from with_headers()
    yield from makes()
    yield from duplicates()
    yield from restarts()
    yield from typed()
