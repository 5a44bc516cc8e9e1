"""What a serde is: two functions, bound to a topic once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Serde(Protocol[T]):
    """Turns values into bytes and back. A topic's functions are asked for once, then called for each record.

    The functions never see None: a null key or value is no bytes at all. They raise whatever fits when they cannot
    take a value; the caller says which record it was.
    """

    def serializer(self, topic: str) -> Callable[[T], bytes]:
        """The function for one topic (schema registries need the name; most serdes do not look at it)."""
        ...

    def deserializer(self, topic: str) -> Callable[[bytes], T]:
        """The inverse."""
        ...


def serialize_nullable(serialize: Callable[[T], bytes], value: T | None) -> bytes | None:
    """Null stays null."""
    return None if value is None else serialize(value)


def fixed_width(serde: Serde[T]) -> int | None:
    """Bytes that every value takes, if Java counts the type among those; None otherwise."""
    width = getattr(serde, "width", None)
    return width if isinstance(width, int) else None
