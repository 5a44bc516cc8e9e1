"""Numbers that keep their Java type: an integer wraps at 32 bits, a long at 64, a double is a float (FORMAT §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streams.serdes import int32


class Integer(int):
    """A Java integer among Python's ints, so that arithmetic knows where it wraps."""


class IntegerSerde:
    """int32, giving Integers."""

    def serializer(self, topic: str) -> Callable[[int], bytes]:
        return int32.serializer(topic)

    def deserializer(self, topic: str) -> Callable[[bytes], Integer]:
        read = int32.deserializer(topic)
        return lambda data: Integer(read(data))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def plus(a: Any, v: Any) -> Any:
    """a + v; null counts as 0."""
    return _typed((0 if a is None else a) + (0 if v is None else v), a, v)


def minus(a: Any, v: Any) -> Any:
    return _typed((0 if a is None else a) - (0 if v is None else v), a, v)


def times(a: Any, v: Any) -> Any:
    return _typed(a * v, a, v)


def _typed(result: Any, *operands: Any) -> Any:
    """The result in the type of the first operand that has one: literals take the type of what they meet."""
    if isinstance(result, float):
        return result
    first = next((operand for operand in operands if operand is not None), result)
    bits = 32 if isinstance(first, Integer) else 64
    wrapped = (result + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
    return Integer(wrapped) if bits == 32 else wrapped
