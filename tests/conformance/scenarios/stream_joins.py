"""Windowed joins of two streams: inner, left, outer, self, with every bound (F1-F8, A8)."""

from collections.abc import Iterable, Iterator

from tests.conformance.scenarios.build import Json, Steps, event, feed, scenario, wall

LEFT, RIGHT = "left", "right"
KINDS = ("join", "left_join", "outer_join")
DAY = 86_400_000


def nulls(side: str, ts: int) -> Json:
    return event(side, "k", None, ts)


STEPS: list[Json] = [
    nulls(LEFT, 1),
    nulls(RIGHT, 2),
    *feed(LEFT, ("k", "A", 3)),
    *feed(RIGHT, ("k", "a", 4)),
    *feed(LEFT, ("k", "B", 5)),
    *feed(RIGHT, ("k", "b", 6)),
    nulls(LEFT, 7),
    nulls(RIGHT, 8),
    *feed(LEFT, ("k", "C", 9)),
    *feed(RIGHT, ("k", "c", 10)),
    nulls(RIGHT, 11),
    nulls(LEFT, 12),
    nulls(RIGHT, 13),
    *feed(RIGHT, ("k", "d", 7)),
    *feed(LEFT, ("k", "D", 6)),
    nulls(LEFT, 2),
    nulls(RIGHT, 3),
    *feed(RIGHT, ("k", "e", 14)),
    *feed(LEFT, ("k", "E", 15)),
    nulls(LEFT, 10),
    nulls(RIGHT, 9),
    *feed(LEFT, ("k", "F", 4)),
    *feed(RIGHT, ("k", "f", 3)),
]
"""Twenty-three steps of one key: nulls on either side, updates, out-of-order records behind null and non-null ones."""


def joined(t: Steps, op: str, window: Json, **fields: object) -> str:
    a, b = t.stream(LEFT), t.stream(RIGHT)
    serdes = {"key": "string", "value": "string", "other_value": "string"}
    return t(op, a, other=b, **({"joiner": "concat", "window": window} | serdes | fields))


def span(before: int, after: int | None = None, grace: int | None = None) -> Json:
    window: Json = {"before": before, "after": before if after is None else after}
    return window if grace is None else window | {"grace": grace}


def many(side: str, letter: str, times: Iterable[int], keys: int = 4) -> list[Json]:
    return [event(side, f"{at}", f"{letter}{at}", ts) for ts in times for at in range(keys)]


def steps_of_one_key() -> Iterator[Json]:
    for op in KINDS:
        for grace, label in ((DAY, "day"), (None, "none"), (5, "five")):
            t = Steps()
            t.to(joined(t, op, span(10_000, grace=grace)))
            yield scenario(
                f"{op}-steps-grace-{label}", "F1 F2 F3 F5", f"23 steps of one key, wide window, grace {label}", t, STEPS
            )
        for width in (0, 2, 4):
            t = Steps()
            # a store of empty windows has no readable rows unless its retention is 0 as well
            t.to(joined(t, op, span(width, grace=3 if width else None)))
            yield scenario(
                f"{op}-steps-width-{width}", "F1 F3 F4 F5", f"23 steps of one key, window of {width} ms", t, STEPS
            )
        t = Steps()
        a, b = t("map", t.stream(LEFT), fn="identity"), t("select_key", t.stream(RIGHT), fn="key")
        fields: Json = {
            "joiner": "concat",
            "key": "string",
            "value": "string",
            "other_value": "string",
            "window": span(10_000, grace=DAY),
        }
        t.to(t(op, a, other=b, **fields))
        yield scenario(f"{op}-steps-repartitioned", "F1 B14 J1", "both sides behind a repartition", t, STEPS)
        t = Steps()
        first = joined(t, op, span(10_000, grace=DAY))
        t.to(t(op, first, other="stream1", **fields))
        yield scenario(f"{op}-steps-multi", "F1", "the result joined with the right side again", t, STEPS[:15])


def windowing() -> Iterator[Json]:
    """Four keys, records one off each bound of the window, on both sides."""
    low = [1000 - 100 - 1 + step for step in range(5)]
    high = [1000 + 100 + step for step in range(5)]
    events = [
        *many(LEFT, "A", [0], 2),
        *many(RIGHT, "a", [0], 2),
        *(event(LEFT, f"{at}", f"B{at}", 1000 + at) for at in range(4)),
        *(row for at, ts in enumerate([1000, *high]) for row in many(RIGHT, "bcdefg"[at], [ts])),
        *(row for at, ts in enumerate(low) for row in many(RIGHT, "hijkl"[at], [ts])),
    ]
    mirrored = [row | {"topic": LEFT if row["topic"] == RIGHT else RIGHT} for row in events]
    for op in KINDS:
        for name, rows in (("left-first", events), ("right-first", mirrored)):
            t = Steps()
            t.to(joined(t, op, span(100)))
            yield scenario(f"{op}-windowing-{name}", "F1 F3 F4 F8", "one off every bound, no grace", t, rows)
        for before, after, grace in (
            (0, 100, None),
            (100, 0, None),
            (0, 0, None),
            (-20, 100, 10),
            (100, -20, 10),
            (5, 20, None),
        ):
            t = Steps()
            t.to(joined(t, op, span(before, after, grace)))
            name = f"{op}-asymmetric-{before}-{after}-{grace}"
            yield scenario(name, "F8 F1 F3 F4", f"before {before}, after {after}, grace {grace}", t, events[:30])
    for before, after in ((-10, 5), (5, -10)):
        t = Steps()
        t.to(joined(t, "join", span(before, after)))
        yield scenario(f"refused-window-{before}-{after}", "F8 J12", "refused: before + after below 0", t, [])


def expiry() -> Iterator[Json]:
    rounds = {
        "duplicates": [
            ("A0", 0, LEFT, 0),
            ("A1", 0, LEFT, 0),
            ("b0", 1, RIGHT, 0),
            ("b1", 1, RIGHT, 0),
            ("b2", 1, RIGHT, 111),
            ("z", 3, RIGHT, 211),
            ("C0", 2, LEFT, 200),
            ("C1", 2, LEFT, 200),
            ("d0", 2, RIGHT, 201),
            ("d1", 2, RIGHT, 201),
            ("y", 3, RIGHT, 1500),
        ],
        "left-rows-leave": [
            ("A0", 0, LEFT, 1),
            ("A1", 1, LEFT, 2),
            ("A2", 0, LEFT, 3),
            ("b", 1, RIGHT, 3),
            ("L", 2, LEFT, 401),
            ("r", 2, RIGHT, 401),
        ],
        "left-rows-leave-by-right": [
            ("A0", 0, LEFT, 1),
            ("A1", 1, LEFT, 2),
            ("A2", 0, LEFT, 3),
            ("b", 1, RIGHT, 3),
            ("r", 2, RIGHT, 401),
            ("L", 2, LEFT, 402),
        ],
        "right-rows-leave": [
            ("a0", 0, RIGHT, 1),
            ("a1", 1, RIGHT, 2),
            ("a2", 0, RIGHT, 3),
            ("B", 1, LEFT, 3),
            ("L", 2, LEFT, 401),
            ("r", 2, RIGHT, 402),
        ],
        "right-rows-leave-by-right": [
            ("a0", 0, RIGHT, 1),
            ("a1", 1, RIGHT, 2),
            ("a2", 0, RIGHT, 3),
            ("B", 1, LEFT, 3),
            ("r", 2, RIGHT, 401),
            ("L", 2, LEFT, 402),
        ],
        "ordering": [("A0", 0, LEFT, 0), ("A1", 1, LEFT, 100), ("a1", 1, RIGHT, 110), ("end", 5, LEFT, 500)],
        "grace": [
            ("A0", 0, LEFT, 0),
            ("b", 1, RIGHT, 0),
            ("A1", 1, LEFT, 101),
            ("a0", 0, RIGHT, 101),
            ("r", 0, RIGHT, 112),
            ("late", 0, LEFT, 1),
            ("late", 1, RIGHT, 2),
            ("end", 9, RIGHT, 400),
        ],
        "both-sides-one-time": [
            ("r", 1, RIGHT, 5),
            ("L", 1, LEFT, 300),
            ("r2", 2, RIGHT, 300),
            ("r3", 0, RIGHT, 300),
            ("L2", 2, LEFT, 300),
            ("L3", 3, LEFT, 300),
            ("q", 3, RIGHT, 301),
            ("end", 9, LEFT, 900),
            ("end", 8, RIGHT, 900),
        ],
        "far-future": [
            ("A", 0, LEFT, 10),
            ("far", 1, LEFT, 1_000_000),
            ("late", 0, RIGHT, 12),
            ("late", 1, RIGHT, 999_950),
            ("x", 0, LEFT, 11),
        ],
    }
    for name, rows in rounds.items():
        events = [event(side, str(key), value, ts) for value, key, side, ts in rows]
        for op in ("left_join", "outer_join"):
            for grace in (None, 10):
                t = Steps()
                t.to(joined(t, op, span(100, grace=grace)))
                yield scenario(
                    f"{op}-{name}-{grace}", "F3 F4 F5 A8", f"unmatched rows: {name}, grace {grace}", t, events
                )
    for op in ("left_join", "outer_join"):
        events = [
            *feed(LEFT, ("a", "A", 1), ("b", "B", 2)),
            *feed(RIGHT, ("c", "c", 3)),
            *feed(LEFT, ("d", "D", 50)),
            wall(500),
            *feed(RIGHT, ("e", "e", 60)),
            wall(499),
            *feed(LEFT, ("f", "F", 70)),
            wall(1),
            *feed(LEFT, ("g", "G", 80)),
            *feed(RIGHT, ("h", "h", 90)),
            wall(1000),
            *feed(RIGHT, ("i", "i", 89)),
            *feed(RIGHT, ("j", "j", 91)),
        ]
        t = Steps()
        t.to(joined(t, op, span(5)))
        throttle = {"__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": "1000"}
        yield scenario(
            f"{op}-throttled",
            "F4",
            "unmatched rows leave at most once a second of wall clock",
            t,
            events,
            props=throttle,
        )


def scenarios() -> Iterator[Json]:
    yield from steps_of_one_key()
    yield from windowing()
    yield from expiry()
