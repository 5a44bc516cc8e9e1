"""Reducers, aggregators, mergers and joiners of the format (FORMAT §4): a = old or aggregate, v = new."""

from __future__ import annotations

from typing import Any

from app.streams.dsl.options import WithKey
from tests.conformance.lambdas import Function, named, split_name
from tests.conformance.numbers import minus, plus
from tests.conformance.values import UnknownName, text


def _zero_to_null(total: Any) -> Any:
    return None if total == 0 else total


def _greater(a: Any, v: Any) -> Any:
    return v if a is None else a if v is None else max(a, v)


def _smaller(a: Any, v: Any) -> Any:
    return v if a is None else a if v is None else min(a, v)


# (key, v, a) -> result: what reducers, aggregators and mergers have in common.
FOLDS: dict[str, Function] = {
    "sum": lambda: lambda k, v, a: plus(a, v),
    "max": lambda: lambda k, v, a: _greater(a, v),
    "concat": lambda: lambda k, v, a: text(a) + text(v),
    "subtract": lambda: lambda k, v, a: minus(a, v),
    "min": lambda: lambda k, v, a: _smaller(a, v),
    "last": lambda: lambda k, v, a: v,
    "remove_first": lambda: lambda k, v, a: text(a).replace(text(v), "", 1),
    "sum_null_zero": lambda: lambda k, v, a: _zero_to_null(plus(a, v)),
    "first": lambda: lambda k, v, a: a,
    "count": lambda: lambda k, v, a: plus(a, 1),
    "uncount": lambda: lambda k, v, a: minus(a, 1),
    "concat_key": lambda: lambda k, v, a: text(a) + text(k) + text(v),
    "concat_sep": lambda s: lambda k, v, a: text(a) + text(v) + s,
    "concat_reset": lambda x: lambda k, v, a: None if v == x else text(a) + text(v),
    "length_sum": lambda: lambda k, v, a: plus(a, 0 if v is None else len(text(v))),
}

REDUCERS = {
    "sum", "max", "concat", "subtract", "min", "last", "remove_first", "sum_null_zero", "first",
}  # fmt: skip
AGGREGATORS = set(FOLDS) - {"first"}
MERGERS = {"sum", "max", "concat"}


def _fold(kind: str, allowed: set[str], given: Any) -> Any:
    if split_name(given)[0] not in allowed:
        raise UnknownName(f"{kind} {given}")
    return named(kind, FOLDS, given)


def reducer(given: Any) -> Any:
    fold = _fold("reducer", REDUCERS, given)
    return lambda old, new: fold(None, new, old)


def aggregator(given: Any) -> Any:
    return _fold("aggregator", AGGREGATORS, given)


def merger(given: Any) -> Any:
    fold = _fold("merger", MERGERS, given)
    return lambda key, one, other: fold(key, other, one)


def _joined(left: Any, right: Any) -> str:
    return f"{text(left)}+{text(right)}"


JOINERS: dict[str, Function] = {
    "concat": lambda: _joined,
    "sum": lambda: plus,
    "left": lambda: lambda left, right: left,
    "right": lambda: lambda left, right: right,
    "null_if_right": lambda x: lambda left, right: None if right == x else _joined(left, right),
    "with_key": lambda: WithKey(lambda key, left, right: f"{text(key)}:{_joined(left, right)}"),
}


def joiner(given: Any) -> Any:
    return named("joiner", JOINERS, given)
