"""Bytes that cannot be read, lambdas that raise, dead letters (N1-N4, N6, N9)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import Json, Steps, event, feed, scenario, store, wall

BAD_VALUE: Json = {"hex": "0102"}
READING = [
    event("in", "a", 1, 1),
    event("in", "b", BAD_VALUE, 2, ("h", "1"), ("n", None)),
    event("in", "c", 3, 9),
    event("in", "d", BAD_VALUE, 30),
    event("in", "e", 5, 4),
    event("in", None, BAD_VALUE, 5),
    event("in", "f", None, 6),
]
RAISING = [
    event("in", "k", "ok", 1),
    event("in", "k", "bad", 2, ("h", "1")),
    event("in", "k", "ok2", 3),
    event("in", None, "bad", 4),
    event("in", "j", None, 5),
    event("in", "j", "bad", 1),
]


def configurations() -> Iterator[tuple[str, Json]]:
    for handler in ("continue", "fail"):
        for letters in (True, False):
            yield (
                f"{handler}{'-letters' if letters else ''}",
                {"handler": handler} | ({"dead_letter_topic": "dlq"} if letters else {}),
            )


def until_death(events: list[Json], first: int, handler: str) -> list[Json]:
    return events if handler == "continue" else events[: first + 1]


def reading() -> Iterator[Json]:
    for name, fields in configurations():
        config = {"deserialization_handler": fields["handler"]} | {
            key: value for key, value in fields.items() if key != "handler"
        }
        about = "skipped and counted" if fields["handler"] == "continue" else "dies"
        for shape in ("stream", "table", "repartitioned"):
            t = Steps()
            if shape == "table":
                t.emit(t.table("in", "long", materialized=store("t", "long")), "out", "long")
            elif shape == "stream":
                t.to(t("process_values", t("map_values", t.stream("in", "long"), fn="to_string"), processor="metadata"))
            else:
                t.emit(t("count", t("group_by", t.stream("in", "long"), fn=["value_mod", 2])), "out", "long")
            events = until_death(READING, 1, fields["handler"])
            yield scenario(
                f"bad-value-{shape}-{name}", "N1 N4 N6 N9 A4", f"{about}: bytes that are no long", t, events, **config
            )
        t = Steps()
        t.to(t("stream", topics=["in"], key="long", value="string"), key="long")
        events = [event("in", 1, "x", 1), event("in", {"hex": "616263"}, "y", 2), event("in", 2, "z", 3)]
        events = until_death(events, 1, fields["handler"])
        yield scenario(f"bad-key-{name}", "N1 N4", f"{about}: a key that is no long", t, events, **config)
    t = Steps()
    g = t("global_table", topic="glob", key="string", value="long", materialized=store("g", "long"))
    t.to(t("join", t.stream("in"), other=g, fn="key", joiner="concat"))
    events = [event("glob", "a", BAD_VALUE, 1), event("glob", "a", 5, 2), event("in", "a", "x", 3)]
    for handler in ("continue", "fail"):
        yield scenario(
            f"bad-global-{handler}",
            "N1 E9",
            "the driver's global task always skips",
            t,
            events,
            deserialization_handler=handler,
        )


def raising() -> Iterator[Json]:
    for name, fields in configurations():
        config = {"processing_handler": fields["handler"]} | {
            key: value for key, value in fields.items() if key != "handler"
        }
        about = "goes on" if fields["handler"] == "continue" else "dies"
        for shape in ("siblings", "chain", "aggregate", "repartitioned", "table", "branch"):
            t = Steps()
            s = t.stream("in")
            throw = ["throw_if", "bad"]
            if shape == "siblings":
                t.to(t("map_values", s, fn="value_upper"), "first")
                t.to(t("map_values", s, fn=throw), "second")
                t.to(t("peek", s, label="after"), "third")
            elif shape == "chain":
                t.to(t("map_values", t("peek", t("map_values", s, fn=throw), label="seen"), fn="value_upper"))
            elif shape == "aggregate":
                c = t("count", t("group_by_key", s), materialized=store("c", "long"))
                t.to(t("map_values", t("to_stream", c), fn=["throw_if", 2]), "out", "long")
            elif shape == "repartitioned":
                r = t("repartition", t("map", s, fn="value_to_key"), name="r")
                t.to(t("map_values", r, fn=throw))
            elif shape == "table":
                t.emit(t("map_values", t("to_table", s), fn=throw, materialized=store("m")))
            else:
                t("split", s, branches=[{"pred": ["value_starts", "b"], "let": "b"}], default={"let": "rest"})
                t.to(t("map_values", "b", fn=throw), "b-out")
                t.to("rest", "rest-out")
            events = until_death(RAISING, 1, fields["handler"])
            yield scenario(
                f"raising-{shape}-{name}", "N3 N4 N6 N9", f"{about}: a lambda that raises, {shape}", t, events, **config
            )
    t = Steps()
    p = t("process", t.stream("in"), processor=["tick_wall", 10])
    t.to(t("map_values", p, fn=["throw_if", "10:2"]))
    events = [*feed("in", ("a", "x", 1), ("a", "y", 2)), wall(10), *feed("in", ("a", "z", 3)), wall(10)]
    yield scenario(
        "raising-in-punctuator",
        "N3 N4 H8",
        "behind a punctuator there is no source record",
        t,
        events,
        processing_handler="continue",
        dead_letter_topic="dlq",
    )
    t = Steps()
    t.to(t("map_values", t.stream("in"), fn="to_long"), "out", "long")
    yield scenario("not-a-number", "N3", "dies: text that is no number", t, feed("in", ("a", "1", 1), ("a", "x", 2)))
    t = Steps()
    t.to(t.stream("in"), "out", "long")
    yield scenario("wrong-sink-serde", "N2", "dies: text where the sink writes longs", t, feed("in", ("a", "1", 1)))


def scenarios() -> Iterator[Json]:
    yield from reading()
    yield from raising()
