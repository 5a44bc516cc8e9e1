"""Joins of tables by a foreign key (F16-F18; Java: kstream.internals.foreignkeyjoin).

A left row subscribes to its foreign key, at the task that has the right row (`Subscribe` → topic → `Receive`). That one
answers with the right value, to the subscriber alone (`Answer`) or, when the right row changes, to all of its
subscribers (`AnswerAll` → topic). `Resolve` joins the answer with the left row, if that is still the row it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from app.streams.hashing import murmur3_128
from app.streams.model import Change, Forward
from app.streams.serdes import Serde
from app.streams.serdes.foreign_key import (
    DELETE_KEY_AND_PROPAGATE,
    DELETE_KEY_NO_PROPAGATE,
    PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE,
    PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE,
    Response,
    Subscription,
    combined_key,
    combined_prefix,
    split_combined,
)
from app.streams.tables.views import View
from app.streams.topology.runtime import Runtime

# Longer values than this are hashed anew each time: what is remembered must stay small.
_REMEMBERED_LENGTH: Final = 1024

_remembered_hash = lru_cache(maxsize=4096)(murmur3_128)


def hash_of(value: bytes) -> bytes:
    """Of a serialized left value: hashed when the row subscribes, and again, mostly the same, with each answer."""
    return _remembered_hash(value) if len(value) <= _REMEMBERED_LENGTH else murmur3_128(value)


@dataclass(frozen=True, slots=True)
class Bytes:
    """How a join serializes: the serdes, and the pseudo-topics they are told (reference 2.2)."""

    primary_key: Serde[Any]
    primary_topic: str
    foreign_key: Serde[Any]
    foreign_topic: str
    left_value: Serde[Any]
    hash_topic: str


class Answered(NamedTuple):
    """A response on its way to the task of the left row. The first three fields are those of `Response`."""

    hash: bytes | None
    foreign_value: Any
    version: int
    partition: int | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Left changes to subscriptions, by Java's decision table (F17; SubscriptionSendProcessorSupplier).

    outer: a left join, which wants an answer to every change.
    """

    extract: Callable[[Any, Any], Any]
    bytes: Bytes
    outer: bool
    versioned: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx, extract, versioned = runtime.ctx, self.extract, self.versioned
        serialize = self.bytes.foreign_key.serializer(self.bytes.foreign_topic)
        serialize_value = self.bytes.left_value.serializer(self.bytes.hash_topic)
        instructions = _left_instructions if self.outer else _inner_instructions

        def step(key: Any, change: Change) -> None:
            new, old, latest = change
            if versioned and not latest:
                ctx.dropped()
                return
            old_foreign = None if old is None else extract(key, old)
            new_foreign = None if new is None else extract(key, new)
            if new is not None and new_foreign is None and not self.outer:
                ctx.dropped()
            changed = old_foreign is not None and (
                new_foreign is None or serialize(new_foreign) != serialize(old_foreign)
            )
            hashed = None if new is None else hash_of(serialize_value(new))
            for to_old, instruction in instructions(change, old_foreign, new_foreign, changed):
                foreign = old_foreign if to_old else new_foreign
                forward(foreign, Subscription(hashed, instruction, key, ctx.partition))

        return step


# What to send, in order: (to the old foreign key, else the new one; the instruction).
_UNSUBSCRIBE = (True, DELETE_KEY_NO_PROPAGATE)
_UNSUBSCRIBE_AND_ANSWER = (True, DELETE_KEY_AND_PROPAGATE)
_SUBSCRIBE_AND_ANSWER = (False, PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE)
_SUBSCRIBE = (False, PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE)


def _left_instructions(
    change: Change, _old_foreign: Any, _new_foreign: Any, changed: bool
) -> tuple[tuple[bool, int], ...]:
    """An answer is always wanted: without a new foreign key, the null key gets the subscription, just for that."""
    if change[0] is None and change[1] is None:
        return ()
    return (_UNSUBSCRIBE, _SUBSCRIBE_AND_ANSWER) if changed else (_SUBSCRIBE_AND_ANSWER,)


def _inner_instructions(
    _change: Change, old_foreign: Any, new_foreign: Any, changed: bool
) -> tuple[tuple[bool, int], ...]:
    if new_foreign is None:
        # The row is gone, or has no foreign key any more: the result, if there was one, is deleted by the answer.
        return (_UNSUBSCRIBE_AND_ANSWER,) if old_foreign is not None else ()
    # With the key as before, no right row means that there was no result either.
    return (_UNSUBSCRIBE, _SUBSCRIBE_AND_ANSWER) if changed else (_SUBSCRIBE,)


@dataclass(frozen=True, slots=True)
class Receive:
    """Keeps subscriptions where the right rows are, by (foreign key, primary key) (SubscriptionReceiveProcessor...)."""

    store: str
    bytes: Bytes

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx, store = runtime.ctx, runtime.store(self.store)
        foreign_bytes = self.bytes.foreign_key.serializer(self.bytes.foreign_topic)
        primary_bytes = self.bytes.primary_key.serializer(self.bytes.primary_topic)

        def step(key: Any, subscription: Subscription) -> None:
            instruction = subscription.instruction
            if key is None:
                # Nothing to be found under no key; but left joins want their answer.
                if instruction != PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE:
                    ctx.dropped()
                    return
            else:
                gone = instruction in (DELETE_KEY_NO_PROPAGATE, DELETE_KEY_AND_PROPAGATE)
                row = combined_key(foreign_bytes(key), primary_bytes(subscription.primary_key))
                store.put(row, None if gone else subscription, ctx.timestamp)
            forward(key, subscription)

        return step


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers a subscription with the right row as it is now (SubscriptionJoinProcessorSupplier). Time: the later of
    both rows' (F18)."""

    right: View

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx, get = runtime.ctx, self.right.open(runtime)

        def step(key: Any, subscription: Subscription) -> None:
            instruction = subscription.instruction
            if instruction == DELETE_KEY_NO_PROPAGATE:
                return
            row = None if key is None else get(key)
            if row is None and instruction == PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE:
                return
            value = None if row is None or instruction == DELETE_KEY_AND_PROPAGATE else row[0]
            kept = ctx.timestamp
            if row is not None and row[1] > kept:
                ctx.timestamp = row[1]
            forward(subscription.primary_key, Answered(subscription.hash, value, 0, subscription.primary_partition))
            ctx.timestamp = kept

        return step


@dataclass(frozen=True, slots=True)
class AnswerAll:
    """A change of a right row goes to all that subscribed to it, in the order of their keys' bytes
    (ForeignTableJoinProcessorSupplier). Time: the right row's alone (F18)."""

    store: str
    bytes: Bytes
    versioned: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx, store, versioned = runtime.ctx, runtime.store(self.store), self.versioned
        foreign_bytes = self.bytes.foreign_key.serializer(self.bytes.foreign_topic)
        primary_key = self.bytes.primary_key.deserializer(self.bytes.primary_topic)

        def step(key: Any, change: Change) -> None:
            new, _, latest = change
            if key is None or (versioned and not latest):
                ctx.dropped()
                return
            for row, (subscription, _time) in store.prefix_scan_rows(combined_prefix(foreign_bytes(key))):
                _, primary = split_combined(row)
                forward(primary_key(primary), Answered(subscription.hash, new, 0, subscription.primary_partition))

        return step


@dataclass(frozen=True, slots=True)
class Resolve:
    """Joins an answer with the left row it was asked for; if that changed meanwhile, another answer is on its way
    (ResponseJoinProcessorSupplier). joiner: (key, left, right) -> result."""

    left: View
    bytes: Bytes
    joiner: Callable[[Any, Any, Any], Any]
    outer: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        ctx, get, joiner, outer = runtime.ctx, self.left.open(runtime), self.joiner, self.outer
        serialize_value = self.bytes.left_value.serializer(self.bytes.hash_topic)

        def step(key: Any, response: Response) -> None:
            row = get(key)
            hashed = None if row is None else hash_of(serialize_value(row[0]))
            if response.hash != hashed:
                ctx.dropped()
                return
            right = response.foreign_value
            if right is None and (row is None or not outer):
                forward(key, None)
            else:
                forward(key, joiner(key, None if row is None else row[0], right))

        return step
