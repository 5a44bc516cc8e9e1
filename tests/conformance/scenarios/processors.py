"""The Processor API and the Topology API: named processors, punctuators, stores, children by name (area H)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, scenario, wall

ROWS = [
    event("in", "a", "x", 5, ("h", "1")),
    event("in", "a", "x", 3),
    event("in", "b", "y", 9),
    event("in", None, "z", 10),
    event("in", "a", None, 11),
    event("in", "a", "w", 13),
]
TIMES = [
    *feed("in", ("a", "x", 3), ("a", "x", 12)),
    wall(4),
    wall(6),
    wall(25),
    *feed("in", ("a", "x", 45), ("a", "x", 44), ("a", "x", 50), ("b", "y", 51)),
    wall(100),
    wall(0),
    wall(1),
    *feed("in", ("c", "z", 1000), ("c", "z", 1001)),
]


def plain() -> Iterator[Json]:
    for op in ("process", "process_values"):
        for processor in (
            "forward",
            "twice",
            ["add_header", "by", "app"],
            ["shift_ts", 7],
            ["shift_ts", -3],
            "metadata",
        ):
            t = Steps()
            t.to(t(op, t.stream("in"), processor=processor))
            name = (
                processor if isinstance(processor, str) else f"{processor[0]}{'-back' if processor[-1] == -3 else ''}"
            )
            yield scenario(f"{op}-{name}", "B15 B16 H3 H4 H5 H11", f"{name} through {op}", t, ROWS)
    t = Steps()
    s = t("process", t.stream("in"), processor=["set_key", "K"], name="keyed")
    t.to(t("process_values", t("process", s, processor="twice"), processor=["add_header", "n", ""]))
    t.to(t("process", s, processor="metadata"), "meta")
    yield scenario("chained-processors", "B15 H4 A12", "processors one behind another", t, ROWS)
    t = Steps()
    t.to(t("process_values", t.stream("in"), processor=["shift_ts", -100]))
    yield scenario(
        "negative-time",
        "H3",
        "dies: a record's time cannot become negative",
        t,
        [event("in", "a", "x", 200), event("in", "a", "x", 50)],
    )


def stateful() -> Iterator[Json]:
    for kind in ("kv", "timestamped_kv"):
        for processor in ("count_in", "dedup", "store_put", "lookup"):
            t = Steps()
            value = "long" if processor == "count_in" else "string"
            t("add_store", store="st", kind=kind, key="string", value=value)
            p = t("process", t.stream("in"), processor=[processor, "st"], stores=["st"])
            t.to(p, "out", value)
            events = [*ROWS, RESTART, *ROWS]
            yield scenario(
                f"{processor}-{kind}", "H12 I1 I2 I11 L1", f"{processor} on a {kind} store, restart between", t, events
            )
    t = Steps()
    t("add_store", store="shared", kind="kv", key="string", value="long")
    one = t("process", t.stream("in"), processor=["count_in", "shared"], stores=["shared"], name="one")
    two = t("process", t.stream("other"), processor=["count_in", "shared"], stores=["shared"], name="two")
    t.to(t("merge", one, other=two), "out", "long")
    yield scenario(
        "shared-store",
        "H1 H12",
        "a store joins two branches into one sub-topology",
        t,
        [*ROWS, *feed("other", ("a", "q", 1), ("c", "q", 2))],
    )
    t = Steps()
    store = {"store": "names", "kind": "kv", "key": "string", "value": "string"}
    t("add_global_store", store=store, topic="names", key="string", value="string", processor=["store_put", "names"])
    t.to(t("process_values", t.stream("in"), processor=["lookup", "names"]))
    events = [
        ROWS[0],
        event("names", "a", "Ann", 4),
        ROWS[1],
        event("names", None, "n", 1),
        event("names", "a", None, 12),
        ROWS[5],
        event("names", "b", "B", 2),
    ]
    yield scenario("global-store", "H15 H12", "a global store kept by a processor", t, [*events, ROWS[2]])
    t = Steps()
    t(
        "add_global_store",
        store=store,
        topic="names",
        key="string",
        value="string",
        processor=["store_put", "names"],
        name="keeper",
    )
    t.to(t.stream("in"), "names")
    t.to(t("process_values", t.stream("ask"), processor=["lookup", "names"]))
    events = [
        ROWS[0],
        event("ask", "a", "?", 1),
        ROWS[2],
        event("ask", "b", "?", 2),
        ROWS[4],
        event("ask", "a", "?", 3),
    ]
    yield scenario("sink-to-global", "H15 E9 P2", "a sink feeds the global store's topic", t, events)


def punctuators() -> Iterator[Json]:
    ticks: list[list[str | int]] = [
        ["tick_stream", 10],
        ["tick_wall", 10],
        ["tick_stream_from", 7, 10],
        ["tick_stream_from", 30, 20],
        ["tick_wall_from", 5, 20],
        ["tick_wall_from", 50, 7],
        ["tick_once", 10],
        ["tick_stream", 1],
        ["tick_stream", 1000],
    ]
    for tick in ticks:
        t = Steps()
        t.to(t("process", t.stream("in"), processor=tick))
        name = "-".join(str(part) for part in tick)
        yield scenario(name, "H7 H8 H9 H10 A5 P2 P3", f"punctuator {name}", t, TIMES)
        t = Steps()
        t.to(t("process", t.stream("in"), processor=tick))
        yield scenario(
            f"{name}-restart",
            "H2 H7 H8 H9 A4 L1",
            f"punctuator {name} over a restart",
            t,
            [*TIMES[:4], RESTART, *TIMES[4:]],
        )
    t = Steps()
    p = t("process", t.stream("in"), processor=["tick_stream", 10])
    t.emit(t("count", t("group_by_key", p)), "ticks", "long")
    yield scenario("ticks-counted", "H7 H4", "what a punctuator forwards is counted behind a repartition", t, TIMES)
    t = Steps()
    a = t("process", t.stream("in"), processor=["tick_stream", 10])
    t.to(a, "again")
    b = t("process", t.stream("again"), processor=["tick_stream", 20])
    t.to(b)
    yield scenario("ticks-in-two", "H7 A5", "two sub-topologies, one stream time", t, TIMES)


def raw() -> Iterator[Json]:
    t = Steps()
    t("add_source", name="s", topics=["in", "in2"], key="string", value="long")
    t("add_processor", name="router", parents=["s"], processor=["route", "even", "odd"])
    t("add_processor", name="even", parents=["router"], processor="forward")
    t("add_processor", name="odd", parents=["router"], processor=["count_in", "cnt"])
    t("add_state_store", store="cnt", kind="kv", key="string", value="long", processors=["odd"])
    t("add_sink", name="se", topic="even-out", parents=["even"], key="string", value="long")
    t("add_sink", name="so", topic="odd-out", parents=["odd", "even"], key="string", value="long")
    rows = [
        event("in", "a", 1, 1),
        event("in2", "a", 2, 2),
        event("in", "b", None, 3),
        event("in", None, 5, 4),
        event("in2", "a", 7, 0),
    ]
    yield scenario("raw-route", "H1 H4", "children by name, a sink with two parents", t, rows)
    t = Steps()
    t("add_source", name="s", topics=["in"], key="string", value="string", extractor="value_at")
    t("add_processor", name="a", parents=["s"], processor="twice")
    t("add_processor", name="b", parents=["s", "a"], processor="metadata")
    t("add_sink", name="out", topic="out", parents=["b"], key="string", value="string")
    yield scenario(
        "raw-diamond",
        "H1 H4 A1",
        "depth first through a diamond",
        t,
        feed("in", ("k", "x@5", 1), ("k", "none", 2), (None, "y@3", 3)),
    )
    for restart in (False, True):
        t = Steps()
        names = {"store": "names", "kind": "timestamped_kv" if restart else "kv", "key": "string", "value": "string"}
        t("add_source", name="s", topics=["in"], key="string", value="string")
        t(
            "add_read_only_store",
            store=names,
            source="ns",
            key="string",
            value="string",
            topic="names",
            name="keep",
            processor=["store_put", "names"],
        )
        t("add_processor", name="look", parents=["s"], processor=["lookup", "names"])
        t("connect_stores", processor="look", stores=["names"])
        t("add_sink", name="out", topic="out", parents=["look"], key="string", value="string")
        rows = [
            ROWS[0],
            event("names", "a", "Ann", 4),
            ROWS[1],
            event("names", "b", "Bob", 2),
            event("names", "a", None, 3),
        ]
        events = [*rows, *([RESTART] if restart else []), ROWS[2], ROWS[5]]
        yield scenario(
            f"raw-read-only{'-restart' if restart else ''}",
            "H14 L1",
            "the topic is source and changelog at once",
            t,
            events,
        )
    yield from raw_shapes()
    yield from raw_refusals()


def source_step(name: str, *topics: str) -> Json:
    return {"op": "add_source", "name": name, "topics": list(topics), "key": "string", "value": "string"}


def node(name: str, *parents: str) -> Json:
    return {"op": "add_processor", "name": name, "parents": list(parents), "processor": "forward"}


def sink(name: str, *parents: str) -> Json:
    step = {"op": "add_sink", "name": name, "topic": name, "parents": list(parents), "key": "string", "value": "string"}
    return step


def kept(name: str, *processors: str) -> Json:
    step = {"op": "add_state_store", "store": name, "kind": "kv", "key": "string", "value": "string"}
    return step | {"processors": list(processors)} if processors else step


def raw_shapes() -> Iterator[Json]:
    a, b, c = source_step("a", "in"), source_step("b", "in2"), source_step("c", "in3")
    shapes: dict[str, list[Json]] = {
        "sources-alone": [a, b, c],
        "source-with-three-processors": [a, node("p", "a"), node("q", "a"), node("r", "a"), sink("out", "q")],
        "processor-with-three-sources": [a, b, c, node("p", "a", "b", "c"), sink("out", "p")],
        "three-lines": [
            a,
            b,
            c,
            node("p", "a"),
            node("q", "b"),
            node("r", "c"),
            sink("o1", "p"),
            sink("o2", "q"),
            sink("o3", "r"),
        ],
        "lines-meet": [a, b, node("p", "a"), node("q", "b"), node("r", "p", "q"), sink("out", "r"), sink("side", "p")],
        "sinks-of-a-source": [a, sink("o2", "a"), sink("o1", "a")],
        "shared-store": [
            a,
            b,
            c,
            node("p", "a"),
            node("q", "b"),
            node("r", "c"),
            kept("s1", "p", "q"),
            kept("s2", "r"),
        ],
        "connected-later": [
            a,
            b,
            node("p", "a"),
            node("q", "b"),
            kept("s"),
            {"op": "connect_stores", "processor": "p", "stores": ["s"]},
            {"op": "connect_stores", "processor": "q", "stores": ["s"]},
        ],
        "store-for-nobody": [a, node("p", "a"), kept("lonely"), sink("out", "p")],
        "deep-and-wide": [
            a,
            *(node(f"n{at}", f"n{(at - 1) // 2}" if at else "a") for at in range(7)),
            sink("out", "n3", "n6", "n0"),
        ],
    }
    for name, steps in shapes.items():
        t = Steps()
        t.rows = steps
        events = [
            event(topic, "k", f"v{at}", at) for at, topic in enumerate(("in", "in2", "in3")) if topic in str(steps)
        ]
        yield scenario(f"raw-{name}", "H1 H4 J4 J5", f"the shape of a topology: {name}", t, events)


def raw_refusals() -> Iterator[Json]:
    source: Json = {"op": "add_source", "name": "s", "topics": ["in"], "key": "string", "value": "string"}
    keep: Json = {"op": "add_processor", "name": "p", "parents": ["s"], "processor": "forward"}
    wrong: dict[str, list[Json]] = {
        "same-name": [source, keep, keep],
        "unknown-parent": [source, keep | {"parents": ["x"]}],
        "parent-later": [keep, source],
        "own-parent": [source, keep | {"parents": ["p"]}],
        "topic-twice": [source, source | {"name": "s2"}],
        "source-name-twice": [source, source | {"topics": ["in2"]}],
        "sink-unknown-parent": [
            source,
            {"op": "add_sink", "name": "o", "topic": "o", "parents": ["x"], "key": "string", "value": "string"},
        ],
        "store-unknown-processor": [
            source,
            {
                "op": "add_state_store",
                "store": "st",
                "kind": "kv",
                "key": "string",
                "value": "string",
                "processors": ["x"],
            },
        ],
        "connect-unknown-store": [source, keep, {"op": "connect_stores", "processor": "p", "stores": ["nope"]}],
    }
    for name, steps in wrong.items():
        t = Steps()
        t.rows = steps
        yield scenario(f"raw-refused-{name}", "H1 J12", f"refused: {name}", t, [])


def scenarios() -> Iterator[Json]:
    yield from plain()
    yield from stateful()
    yield from punctuators()
    yield from raw()
