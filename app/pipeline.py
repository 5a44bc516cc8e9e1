"""The topology over the numbers: totals, counts per ten seconds, and evens that meet odds.

A topology is a function that takes a Builder, and APP_KAFKA__TOPIC if it has a parameter `topic`;
`APP_TOPOLOGY=module:function` names another one, and `python -m app topology` prints it.
"""

from dataclasses import dataclass

from app.streams import Builder, Emit, JoinWindows, Materialized, StreamJoined, Tumbling, seconds
from app.streams.serdes import int64, json, utf8

INPUT = "numtest1"
TOTALS, COUNTS, PAIRS = "numbers-totals", "numbers-per-10s", "numbers-pairs"

Numbers = dict[str, int]


@dataclass(frozen=True)
class Totals:
    count: int = 0
    sum: int = 0


@dataclass(frozen=True)
class Pair:
    even: int
    odd: int


def topology(builder: Builder, topic: str = INPUT) -> None:
    numbers = builder.stream(topic, key=utf8, value=json(Numbers), name="numbers").flat_map(
        lambda _key, members: list(members.items()), name="one-by-one"
    )
    by_producer = numbers.group_by_key(name="by-producer", key=utf8, value=int64)

    # how many numbers each producer has sent, and their sum
    by_producer.aggregate(
        Totals,
        lambda _name, number, totals: Totals(totals.count + 1, totals.sum + number),
        Materialized("totals", value=json(Totals)),
    ).to_stream().to(TOTALS, key=utf8, value=json(Totals))

    # how many in each ten seconds, said once, when the ten seconds are over
    per_10s = Tumbling(seconds(10), grace=seconds(2))
    by_producer.windowed_by(per_10s, emit=Emit.ON_CLOSE).count(Materialized("per-10s")).to_stream(
        lambda window, _count: f"{window.key}@{window.start}"
    ).to(COUNTS, key=utf8, value=int64)

    # each even number with each odd one that was sent within two seconds of it
    evens = numbers.filter(lambda _name, number: number % 2 == 0).select_key(lambda _name, _number: "pair")
    odds = numbers.filter(lambda _name, number: number % 2 == 1).select_key(lambda _name, _number: "pair")
    evens.join(
        odds, Pair, JoinWindows.within(seconds(2)), StreamJoined(utf8, int64, int64, name="meet", store_name="meet")
    ).to(PAIRS, key=utf8, value=json(Pair))
