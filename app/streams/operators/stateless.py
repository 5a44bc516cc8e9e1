"""Operators without state (B3-B8): each a frozen spec that compiles into one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.streams.model import Forward
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps what the predicate accepts, or with `negate` what it refuses (KStreamFilter)."""

    predicate: Callable[[Any, Any], bool]
    negate: bool = False

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        predicate = self.predicate

        def keep(key: Any, value: Any) -> None:
            if predicate(key, value):
                forward(key, value)

        def drop(key: Any, value: Any) -> None:
            if not predicate(key, value):
                forward(key, value)

        return drop if self.negate else keep


@dataclass(frozen=True, slots=True)
class Map:
    """A new key and value for each record (KStreamMap)."""

    mapper: Callable[[Any, Any], tuple[Any, Any]]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        mapper = self.mapper

        def step(key: Any, value: Any) -> None:
            new_key, new_value = mapper(key, value)
            forward(new_key, new_value)

        return step


@dataclass(frozen=True, slots=True)
class MapValues:
    """A new value under the same key (KStreamMapValues)."""

    mapper: Callable[[Any, Any], Any]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        mapper = self.mapper

        def step(key: Any, value: Any) -> None:
            forward(key, mapper(key, value))

        return step


@dataclass(frozen=True, slots=True)
class SelectKey:
    """A new key for the same value (KStreamMap under another name)."""

    selector: Callable[[Any, Any], Any]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        selector = self.selector

        def step(key: Any, value: Any) -> None:
            forward(selector(key, value), value)

        return step


@dataclass(frozen=True, slots=True)
class FlatMap:
    """Any number of pairs for each record (KStreamFlatMap)."""

    mapper: Callable[[Any, Any], Iterable[tuple[Any, Any]]]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        mapper = self.mapper

        def step(key: Any, value: Any) -> None:
            for new_key, new_value in mapper(key, value):
                forward(new_key, new_value)

        return step


@dataclass(frozen=True, slots=True)
class FlatMapValues:
    """Any number of values under the same key (KStreamFlatMapValues)."""

    mapper: Callable[[Any, Any], Iterable[Any]]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        mapper = self.mapper

        def step(key: Any, value: Any) -> None:
            for new_value in mapper(key, value):
                forward(key, new_value)

        return step


@dataclass(frozen=True, slots=True)
class Peek:
    """A side effect, then the record unchanged (KStreamPeek); foreach is a peek without children."""

    action: Callable[[Any, Any], object]

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        action = self.action

        def step(key: Any, value: Any) -> None:
            action(key, value)
            forward(key, value)

        return step


@dataclass(frozen=True, slots=True)
class Branch:
    """The first predicate that accepts the record names the child it goes to; the default one, or none (B8)."""

    branches: tuple[tuple[Callable[[Any, Any], bool], str], ...]
    default: str | None = None

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        # A branch nobody continues has no node to hand records to: they end there.
        children = runtime.children
        branches = [(predicate, children.get(name, ends_here)) for predicate, name in self.branches]
        default = ends_here if self.default is None else children.get(self.default, ends_here)

        def step(key: Any, value: Any) -> None:
            chosen = default
            for predicate, child in branches:
                if predicate(key, value):
                    chosen = child
                    break
            chosen(key, value)

        return step


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Hands records on unchanged: merge and the children of a split (PassThrough)."""

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        return forward


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """In front of a repartition: records without a key cannot be partitioned (B14).

    `relaxed` lets them pass, for a left or outer join downstream that wants them.
    """

    relaxed: bool = False

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        if self.relaxed:
            return forward

        def step(key: Any, value: Any) -> None:
            if key is not None:
                forward(key, value)

        return step


def ends_here(_key: Any, _value: Any) -> None:
    """The step of what has no children."""
