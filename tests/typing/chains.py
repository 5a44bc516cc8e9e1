"""Checked by mypy, not run: the types of streams and tables are inferred through whole chains, without a cast."""

from typing import assert_type

from app.streams import (
    Branch,
    Builder,
    CogroupedStream,
    Emit,
    GlobalTable,
    GroupedStream,
    GroupedTable,
    Hopping,
    JoinWindows,
    Materialized,
    Sessions,
    SessionWindowedStream,
    Stream,
    Table,
    Tumbling,
    UntilWindowCloses,
    Windowed,
    WindowedStream,
    WithKey,
)
from app.streams.serdes import int64, utf8

builder = Builder()
texts = builder.stream("texts", key=utf8, value=utf8)
lengths = texts.map_values(lambda _key, text: len(text))
users = builder.table("users", key=int64, value=utf8)
cities = builder.global_table("cities", key=int64, value=utf8)

assert_type(texts, Stream[str, str])
assert_type(lengths, Stream[str, int])
assert_type(users, Table[int, str])
assert_type(cities, GlobalTable[int, str])

# one record at a time
assert_type(
    texts.filter(lambda _key, text: text.isdigit())
    .map_values(lambda _key, text: int(text))
    .filter_not(lambda key, number: number > len(key)),
    Stream[str, int],
)
assert_type(lengths.map(lambda key, length: (length, key.encode())), Stream[int, bytes])
assert_type(lengths.select_key(lambda _key, length: length / 2), Stream[float, int])
assert_type(texts.flat_map_values(lambda _key, text: text.split()), Stream[str, str])
assert_type(texts.flat_map(lambda key, text: [(len(key), word) for word in text.split()]), Stream[int, str])
assert_type(texts.split(Branch(lambda _key, text: text == "")), dict[str, Stream[str, str]])
assert_type(texts.merge(texts), Stream[str, str])
assert_type(texts.to_table(), Table[str, str])

# groups and windows
words = texts.group_by(lambda _key, text: text, key=utf8, value=utf8)
assert_type(words, GroupedStream[str, str])
assert_type(words.count(Materialized("words")), Table[str, int])
assert_type(words.count().to_stream(), Stream[str, int])
assert_type(words.reduce(lambda so_far, word: so_far + word), Table[str, str])
assert_type(words.aggregate(lambda: 0.5, lambda _key, word, total: total + len(word)), Table[str, float])
assert_type(words.windowed_by(Tumbling(5), emit=Emit.ON_CLOSE), WindowedStream[str, str])
assert_type(words.windowed_by(Hopping(5, advance=1)).count(), Table[Windowed[str], int])
assert_type(words.windowed_by(Sessions(5)), SessionWindowedStream[str, str])
assert_type(words.windowed_by(Tumbling(5)).count().suppress(UntilWindowCloses()), Table[Windowed[str], int])
assert_type(words.windowed_by(Tumbling(5)).count().to_stream(lambda window, _n: window.key), Stream[str, int])

by_city = users.group_by(lambda number, city: (city, number), key=utf8, value=int64)
assert_type(by_city, GroupedTable[str, int])
assert_type(by_city.count(), Table[str, int])


def total(_key: str, word: str, so_far: int) -> int:
    return so_far + len(word)


assert_type(words.cogroup(total), CogroupedStream[str, int])
assert_type(words.cogroup(total).aggregate(lambda: 0), Table[str, int])
assert_type(words.cogroup(total).windowed_by(Tumbling(5)).aggregate(lambda: 0), Table[Windowed[str], int])

# joins
within = JoinWindows.within(5)
numbers = lengths.to_table()
assert_type(texts.join(lengths, lambda text, length: (text, length), within), Stream[str, tuple[str, int]])
assert_type(texts.left_join(lengths, lambda text, length: (text, length), within), Stream[str, tuple[str, int | None]])
assert_type(
    texts.outer_join(lengths, lambda text, length: (text, length), within),
    Stream[str, tuple[str | None, int | None]],
)
assert_type(texts.join(numbers, lambda text, number: text * number), Stream[str, str])
assert_type(
    texts.join(numbers, WithKey(lambda key, text, number: (key, text, number))), Stream[str, tuple[str, str, int]]
)
assert_type(texts.join(cities, lambda text, city: text + city, selector=lambda _key, text: len(text)), Stream[str, str])
assert_type(numbers.join(numbers, lambda one, other: one / other), Table[str, float])
assert_type(numbers.left_join(numbers, lambda one, other: other), Table[str, int | None])
assert_type(
    numbers.join(users, lambda number, user: user * number, foreign_key=lambda _key, number: number), Table[str, str]
)
