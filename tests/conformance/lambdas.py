"""The named functions of the format (FORMAT §4), for streams and tables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from app.streams.config import Extractor, record_time, record_time_or_partition_time, record_time_or_skip
from app.streams.model import RecordMetadata
from tests.conformance.numbers import is_number, plus, times
from tests.conformance.values import UnknownName, text

Function: TypeAlias = Callable[..., Any]


def split_name(given: Any) -> tuple[str, list[Any]]:
    """`"name"` or `["name", arg, ...]`."""
    return (given, []) if isinstance(given, str) else (given[0], list(given[1:]))


def named(kind: str, table: dict[str, Function], given: Any) -> Any:
    """The function a table has under a name, given its arguments."""
    name, arguments = split_name(given)
    if name not in table:
        raise UnknownName(f"{kind} {name}")
    return table[name](*arguments)


def fk(value: Any) -> str | None:
    shown = None if value is None else text(value)
    return None if shown is None or "|" not in shown else shown.partition("|")[0]


def first(value: Any) -> str | None:
    return None if value is None or text(value) == "" else text(value)[0]


def words(value: Any) -> list[str]:
    return [] if value is None or text(value) == "" else text(value).split(" ")


PREDICATES: dict[str, Function] = {
    "always": lambda: lambda k, v: True,
    "never": lambda: lambda k, v: False,
    "key_not_null": lambda: lambda k, v: k is not None,
    "value_not_null": lambda: lambda k, v: v is not None,
    "key_is": lambda x: lambda k, v: k == x,
    "value_is": lambda x: lambda k, v: v == x,
    "is_even": lambda: lambda k, v: is_number(v) and v % 2 == 0,
    "value_gt": lambda n: lambda k, v: is_number(v) and v > n,
    "value_starts": lambda s: lambda k, v: v is not None and text(v).startswith(s),
    "value_longer": lambda n: lambda k, v: v is not None and len(text(v)) > n,
}


def _keeps_null(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda k, v: None if v is None else function(k, v)


def _throw_if(x: Any) -> Callable[[Any, Any], Any]:
    def check(_key: Any, value: Any) -> Any:
        if value == x:
            raise ValueError(f"the value is {x!r}")
        return value

    return check


VALUE_MAPPERS: dict[str, Function] = {
    "identity": lambda: lambda k, v: v,
    "value_upper": lambda: _keeps_null(lambda k, v: text(v).upper()),
    "value_length": lambda: _keeps_null(lambda k, v: len(text(v))),
    "to_string": lambda: _keeps_null(lambda k, v: text(v)),
    "append": lambda s: _keeps_null(lambda k, v: text(v) + s),
    "null_if": lambda x: lambda k, v: None if v == x else v,
    "null_to": lambda x: lambda k, v: x if v is None else v,
    "to_long": lambda: _keeps_null(lambda k, v: int(text(v))),
    "add": lambda n: _keeps_null(lambda k, v: plus(v, n)),
    "times": lambda n: _keeps_null(lambda k, v: times(v, n)),
    "with_key": lambda: lambda k, v: f"{text(k)}:{text(v)}",
    "throw_if": _throw_if,
}

PAIR_MAPPERS: dict[str, Function] = {
    "identity": lambda: lambda k, v: (k, v),
    "swap": lambda: lambda k, v: (v, k),
    "value_to_key": lambda: lambda k, v: (v, v),
    "first_char_to_key": lambda: lambda k, v: (first(v), v),
    "key_append": lambda s: lambda k, v: (None if k is None else text(k) + s, v),
    "null_key": lambda: lambda k, v: (None, v),
    "const_key": lambda x: lambda k, v: (x, v),
    "fk_to_key": lambda: lambda k, v: (fk(v), v),
    "mod_to_key": lambda n: lambda k, v: (None if v is None else str(v % n), v),
}

SELECTORS: dict[str, Function] = {
    "key": lambda: lambda k, v: k,
    "value": lambda: lambda k, v: v,
    "const": lambda x: lambda k, v: x,
    "first_char": lambda: lambda k, v: first(v),
    "key_first_char": lambda: lambda k, v: first(k),
    "fk": lambda: lambda k, v: fk(v),
    "value_mod": lambda n: lambda k, v: None if v is None else str(v % n),
    "key_value": lambda: lambda k, v: f"{text(k)}:{text(v)}",
    "null_if_value": lambda x: lambda k, v: None if v == x else k,
    "inner_key": lambda: lambda k, v: k.key,
    "window_label": lambda: lambda k, v: text(k),
}

FLAT_VALUE_MAPPERS: dict[str, Function] = {
    "split_words": lambda: lambda k, v: words(v),
    "chars": lambda: lambda k, v: [] if v is None else list(text(v)),
    "repeat": lambda n: lambda k, v: [v] * n,
}

FLAT_PAIR_MAPPERS: dict[str, Function] = {
    "words_to_keys": lambda: lambda k, v: [(word, k) for word in words(v)],
    "twice": lambda: lambda k, v: [(k, v), (k, v)],
}


def _key_topic(prefix: str) -> Callable[[Any, Any, RecordMetadata], str]:
    def key_topic(key: Any, _value: Any, _origin: RecordMetadata) -> str:
        return prefix + text(key)

    return key_topic


def _source_topic(suffix: str) -> Callable[[Any, Any, RecordMetadata], str]:
    def source_topic(_key: Any, _value: Any, origin: RecordMetadata) -> str:
        return text(origin.topic) + suffix

    return source_topic


TOPIC_EXTRACTORS: dict[str, Function] = {"key_topic": _key_topic, "source_topic": _source_topic}


def _default(_topic: str, _key: Any, _value: Any, _count: int) -> Collection[int] | None:
    return None


PARTITIONERS: dict[str, Function] = {
    "zero": lambda: lambda topic, key, value, count: (0,),
    "default": lambda: _default,
    "drop_value": lambda x: lambda topic, key, value, count: () if value == x else (0,),
}


def _value_at(_key: Any, value: Any, _timestamp: int, _partition_time: int) -> int:
    shown = None if value is None else text(value)
    tail = None if shown is None or "@" not in shown else shown.rpartition("@")[2]
    try:
        return -1 if tail is None else int(tail)
    except ValueError:
        return -1


EXTRACTORS: dict[str, Extractor] = {
    "record": record_time,
    "log_and_skip": record_time_or_skip,
    "use_partition_time": record_time_or_partition_time,
    "value": lambda _key, value, _timestamp, _partition_time: -1 if value is None else value,
    "value_at": _value_at,
    "partition_time_plus_one": lambda _key, _value, _timestamp, partition_time: partition_time + 1,
}


def extractor(name: str | None) -> Extractor | None:
    if name is None:
        return None
    if name not in EXTRACTORS:
        raise UnknownName(f"timestamp extractor {name}")
    return EXTRACTORS[name]
