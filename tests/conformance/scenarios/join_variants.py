"""Stream joins: null keys, names and stores, a stream with itself, restarts (F6, F7, J2, L1)."""

from collections.abc import Iterator

from tests.conformance.scenarios.build import RESTART, Json, Steps, event, feed, scenario
from tests.conformance.scenarios.stream_joins import KINDS, LEFT, RIGHT, STEPS, joined, span


def null_keys() -> Iterator[Json]:
    rows = [
        event(LEFT, None, "A", 1),
        event(RIGHT, None, "a", 2),
        event(LEFT, None, None, 3),
        event(RIGHT, None, None, 4),
        event(LEFT, "k", "B", 5, ("h", "L")),
        event(RIGHT, "k", "b", 6, ("h", "R")),
        event(LEFT, None, "C", 1),
        event(RIGHT, None, "c", 40),
    ]
    for op in KINDS:
        for rekeyed in (False, True):
            t = Steps()
            a, b = t.stream(LEFT), t.stream(RIGHT)
            if rekeyed:
                a, b = t("select_key", a, fn="key"), t("select_key", b, fn="key")
            fields: Json = {
                "key": "string",
                "value": "string",
                "other_value": "string",
                "window": span(5, grace=2),
                "joiner": "with_key",
            }
            t.to(t(op, a, other=b, **fields))
            name = f"{op}-null-keys{'-repartitioned' if rekeyed else ''}"
            yield scenario(name, "F6 B14 A12", "null keys and values, headers; the joiner sees the key", t, rows)
    t = Steps()
    a = t("select_key", t.stream(LEFT), fn="key")
    fields = {"key": "string", "value": "string", "other_value": "string", "window": span(5), "joiner": "concat"}
    t.to(t("left_join", a, other=t.stream(RIGHT), **fields), "lefts")
    t.emit(t("count", t("group_by_key", a)), "counts", "long")
    yield scenario("null-keys-two-consumers", "F6 B14", "one changed key feeds a left join and a count", t, rows)


def naming() -> Iterator[Json]:
    variants: dict[str, Json] = {
        "named": {"name": "j"},
        "store-name": {"store_name": "js"},
        "both": {"name": "j", "store_name": "js"},
        "in-memory": {"store": "in_memory"},
        "unlogged": {"logging": False},
        "unlogged-named": {"logging": False, "store_name": "js"},
        "with-key": {"joiner": "with_key"},
        "no-serdes": {"key": None},
    }
    for op in KINDS:
        for name, fields in variants.items():
            t = Steps()
            j = joined(t, op, span(5, grace=5), **fields)
            if name == "no-serdes":
                t.rows[-1] = {
                    field: value for field, value in t.rows[-1].items() if field not in ("key", "value", "other_value")
                }
            t.to(j)
            yield scenario(
                f"{op}-{name}", "J2 I13 C9 F1", f"{op} with {name}", t, [*STEPS[:10], *feed(LEFT, ("x", "X", 40))]
            )
        t = Steps()
        s = t("map", t.stream(LEFT), fn="identity")
        b = t.stream(RIGHT)
        fields = {"joiner": "concat", "key": "string", "value": "string", "other_value": "string"}
        t.to(t(op, s, other=b, window=span(5), **fields), "one")
        t.to(t(op, s, other=b, window=span(7), name="second", **fields), "two")
        yield scenario(f"{op}-reused-repartition", "J1 F1", "one changed stream in two joins", t, STEPS[:10])


def self_joins() -> Iterator[Json]:
    rows = feed(
        "in",
        ("k", None, 1),
        ("k", "A", 2),
        ("k", "B", 3),
        ("k", None, 4),
        ("k", "C", 5),
        ("j", "x", 5),
        (None, "n", 6),
        ("k", "D", 2),
        ("k", "E", 20),
        ("j", "y", 10),
        ("j", "z", 9),
        ("k", "F", 24),
        ("k", "late", 4),
    )
    for op in KINDS:
        for optimization in ("none", "single.store.self.join", "all"):
            for name, window in (
                ("even", span(5)),
                ("before", span(5, 0, 3)),
                ("after", span(0, 5, 3)),
                ("grace", span(3, 3, 1000)),
            ):
                t = Steps()
                s = t.stream("in")
                fields: Json = {
                    "joiner": "concat",
                    "key": "string",
                    "value": "string",
                    "other_value": "string",
                    "window": window,
                }
                t.to(t(op, s, other=s, **fields))
                label = optimization.split(".")[0]
                yield scenario(
                    f"self-{op}-{name}-{label}",
                    "F7 J6",
                    f"a stream with itself, {name}, {optimization}",
                    t,
                    rows,
                    optimization=optimization,
                )
    t = Steps()
    s = t("map_values", t.stream("in"), fn="value_upper")
    u = t("filter", s, pred="always")
    fields = {"joiner": "concat", "key": "string", "value": "string", "other_value": "string", "window": span(5)}
    t.to(t("join", s, other=u, **fields))
    yield scenario(
        "self-join-through-filter", "F7 J6", "not the same stream: two stores stay", t, rows, optimization="all"
    )


def restarts() -> Iterator[Json]:
    for op in KINDS:
        for at in (6, 12, 18):
            t = Steps()
            t.to(joined(t, op, span(3, grace=2)))
            events = [*STEPS[:at], RESTART, *STEPS[at:], *feed(LEFT, ("z", "Z", 60)), *feed(RIGHT, ("z", "z", 61))]
            yield scenario(
                f"{op}-restart-{at}",
                "L1 A6 A8 F4 I8",
                "the tracker and the sequence numbers are lost, the rows are not",
                t,
                events,
            )
    t = Steps()
    t.to(joined(t, "left_join", span(0, 0, 0)))
    events = [
        *feed(LEFT, ("a", "A", 5)),
        RESTART,
        *feed(RIGHT, ("b", "b", 50)),
        *feed(LEFT, ("c", "C", 60)),
        *feed(LEFT, ("d", "D", 70)),
    ]
    yield scenario(
        "left-join-restart-no-overflow",
        "A8 L1",
        "after and grace 0: leftovers wait for a newly buffered row",
        t,
        events,
    )


def scenarios() -> Iterator[Json]:
    yield from null_keys()
    yield from naming()
    yield from self_joins()
    yield from restarts()
