"""Sources: topics, patterns, timestamp extractors, partition and stream time (areas A and B1-B2)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import Json, Steps, event, feed, scenario


def extractors() -> Iterator[Json]:
    rows: dict[str, list[Json]] = {
        "log_and_skip": feed(
            "in", ("a", "x", 5), ("a", "skipped", -1), ("b", "y", 3), ("b", "skipped", -7), ("c", "z", 9)
        ),
        "use_partition_time": feed(
            "in", ("a", "x", 5), ("a", "five", -1), ("b", "y", 3), ("b", "five", -7), ("c", "z", 9)
        ),
        "value_at": feed(
            "in",
            ("a", "x@8", 1),
            ("a", "none", 2),
            ("b", "y@3", 3),
            ("b", None, 4),
            ("c", "z@@11", 5),
            ("d", "q@-2", 6),
        ),
        "partition_time_plus_one": feed("in", ("a", "x", 50), ("a", "y", 10), ("b", "z", 5), ("b", None, 90)),
        "record": feed("in", ("a", "x", 5), ("a", "y", 0), ("b", "dies", -1)),
    }
    for extractor, events in rows.items():
        for where in ("source", "default"):
            t = Steps()
            s = t(
                "stream",
                topics=["in"],
                key="string",
                value="string",
                **({"extractor": extractor} if where == "source" else {}),
            )
            t.to(t("process_values", s, processor="metadata"))
            config = {} if where == "source" else {"default_extractor": extractor}
            about = f"{'dies: ' if extractor == 'record' else ''}{extractor} named by the {where}"
            yield scenario(f"extractor-{extractor}-{where}", "A1 A2 A3 A4", about, t, events, **config)
    t = Steps()
    t.to(t("process_values", t.stream("in", "long", extractor="value"), processor="metadata"))
    events = feed("in", ("a", 100, 1), ("a", 7, 2), ("b", None, 3), ("b", -1, 4), ("c", 101, 5))
    yield scenario("extractor-value", "A1 A3 A4 A5", "the value is the time; negative and null are dropped", t, events)
    t = Steps()
    t.to(t("process_values", t.stream("in", extractor="use_partition_time"), processor="metadata"))
    yield scenario(
        "extractor-unknown-partition-time",
        "A2",
        "dies: the first record has no partition time to use",
        t,
        feed("in", ("a", "x", -1)),
    )
    t = Steps()
    t.to(
        t(
            "process_values",
            t("repartition", t("map", t.stream("in", extractor="value_at"), fn="identity")),
            processor="metadata",
        )
    )
    yield scenario(
        "repartition-keeps-time",
        "A3",
        "a repartition topic carries the extracted time",
        t,
        feed("in", ("a", "x@8", 1), ("b", "y@3", 2)),
        default_extractor="partition_time_plus_one",
    )
    t = Steps()
    g = t(
        "table",
        topic="in",
        key="string",
        value="string",
        extractor="value_at",
        materialized={"name": "st", "key": "string", "value": "string"},
    )
    t.emit(g)
    yield scenario("table-extractor", "A1 E1", "a table's source has an extractor too", t, rows["value_at"])


def topics() -> Iterator[Json]:
    t = Steps()
    s = t("stream", topics=["a", "b", "c"], key="string", value="string", name="abc")
    t.to(t("process_values", s, processor="metadata"))
    events = [
        event("b", "k", "1", 9),
        event("a", "k", "2", 3),
        event("c", None, "3", 20),
        event("b", "k", None, 4),
        event("a", "k", "5", 30),
    ]
    yield scenario(
        "several-topics", "B1 A4 A5 A11 H5 P1", "one node, three topics: offsets per topic, one stream time", t, events
    )
    t = Steps()
    p = t("stream", pattern="log-[0-9]+", key="string", value="string")
    q = t("stream", pattern="audit\\..*", key="string", value="string", name="aud")
    t.to(t("process_values", p, processor="metadata"), "logs")
    t.to(t("process_values", q, processor="metadata"), "audits")
    events = [
        event("log-1", "k", "1", 9),
        event("log-22", "k", "2", 3),
        event("audit.x", "k", "3", 5),
        event("log-1", "k", "4", 10),
    ]
    yield scenario("patterns", "B1", "all topics of a pattern share one queue and one offset counter", t, events)
    t = Steps()
    first, second = t.stream("in"), t("stream", topics=["in"], key="string", value="string")
    t.to(t("map_values", first, fn="value_upper"), "one")
    t.to(t("map_values", second, fn=["append", "!"]), "two")
    yield scenario("same-topic-twice", "B1", "two streams on one topic become one node", t, feed("in", ("k", "v", 1)))
    t = Steps()
    first = t("stream", topics=["in", "x"], key="string", value="string")
    t.to(first, "one")
    t.to(t("stream", topics=["x", "in"], key="string", value="string"), "two")
    yield scenario(
        "same-topics-other-order",
        "B1 J12",
        "the same two topics named twice",
        t,
        [event("in", "k", "v", 1), event("x", "k", "w", 2)],
    )
    t = Steps()
    s = t.stream("in", reset="earliest", name="src")
    t.to(s)
    t.to(t.stream("late", reset="latest"), "out2")
    yield scenario(
        "reset-policies",
        "B2",
        "offset reset and name in Consumed",
        t,
        [event("in", "k", "v", 1), event("late", "k", "w", 2)],
    )


def refused() -> Iterator[Json]:
    def two(**second: object) -> Steps:
        t = Steps()
        t.to(t("stream", topics=["in"], key="string", value="string"), "one")
        t(str(second.pop("op", "stream")), None, key="string", value="string", **second)
        return t

    yield scenario("stream-and-table-of-one-topic", "B1 J12", "refused", two(op="table", topic="in"), [])
    yield scenario(
        "overlapping-topics", "B1 J12", "refused: one topic in two different nodes", two(topics=["in", "x"]), []
    )
    t = Steps()
    t.to(t.stream("in", reset="earliest"), "one")
    t.to(t.stream("in", reset="latest"), "two")
    yield scenario("resets-disagree", "B1 B2 J12", "refused: two reset policies for one topic", t, [])
    t = Steps()
    t.emit(t.table("in"))
    t.emit(t.table("in"), "out2")
    yield scenario("table-twice", "B1 E1", "refused: two tables of one topic", t, [])
    t = Steps()
    t.to(t.stream("in"), "one")
    t("global_table", topic="in", key="string", value="string")
    yield scenario("stream-and-global-of-one-topic", "E9 J12", "refused", t, [])


def scenarios() -> Iterator[Json]:
    yield from extractors()
    yield from topics()
    yield from refused()
