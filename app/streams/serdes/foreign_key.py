"""What the two sides of a foreign-key join send each other (reference 2.6; Java: kstream.internals.foreignkeyjoin)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from app.streams.serdes.serde import Serde

DELETE_KEY_NO_PROPAGATE: Final = 0
DELETE_KEY_AND_PROPAGATE: Final = 1
PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE: Final = 2
PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE: Final = 3

_HASH_SIZE: Final = 16
_NO_HASH: Final = 0x80
_INT = struct.Struct(">i")


class Subscription(NamedTuple):
    """SubscriptionWrapper. hash: 16 bytes of the left value's Murmur3, None if it is deleted. primary_partition is
    None only in what version 0 wrote."""

    hash: bytes | None
    instruction: int
    primary_key: Any
    primary_partition: int | None
    version: int = 1


class Response(NamedTuple):
    """SubscriptionResponseWrapper."""

    hash: bytes | None
    foreign_value: Any
    version: int = 0


class SubscriptionSerde:
    """`01` (`81` without hash) ‖ instruction ‖ hash ‖ primary key ‖ 4 B partition; version 0 has no partition."""

    __slots__ = ("inner", "topic")

    def __init__(self, inner: Serde[Any], topic: str) -> None:
        self.inner = inner
        self.topic = topic

    def serializer(self, topic: str) -> Callable[[Subscription], bytes]:
        serialize = self.inner.serializer(self.topic)

        def write(value: Subscription) -> bytes:
            head = bytes((value.version | (_NO_HASH if value.hash is None else 0), value.instruction))
            tail = b""
            if value.version > 0:
                if value.primary_partition is None:
                    raise ValueError("a subscription of version 1 needs the partition of its primary key")
                tail = _INT.pack(value.primary_partition)
            return head + (value.hash or b"") + serialize(value.primary_key) + tail

        return write

    def deserializer(self, topic: str) -> Callable[[bytes], Subscription]:
        deserialize = self.inner.deserializer(self.topic)

        def read(data: bytes) -> Subscription:
            version, instruction = data[0] & 0x7F, data[1]
            if instruction > PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE:
                raise ValueError(f"{instruction} is no instruction of a subscription")
            hash_, at = _read_hash(data, 2)
            if version == 0:
                return Subscription(hash_, instruction, deserialize(data[at:]), None, 0)
            (partition,) = _INT.unpack(data[-4:])
            return Subscription(hash_, instruction, deserialize(data[at:-4]), partition, version)

        return read

    def __repr__(self) -> str:
        return f"subscription({self.inner!r})"


class ResponseSerde:
    """`00` (`80` without hash) ‖ hash ‖ right value, which may be empty for null."""

    __slots__ = ("inner",)

    def __init__(self, inner: Serde[Any]) -> None:
        self.inner = inner

    def serializer(self, topic: str) -> Callable[[Response], bytes]:
        serialize = self.inner.serializer(topic)

        def write(value: Response) -> bytes:
            head = bytes((value.version | (_NO_HASH if value.hash is None else 0),))
            tail = b"" if value.foreign_value is None else serialize(value.foreign_value)
            return head + (value.hash or b"") + tail

        return write

    def deserializer(self, topic: str) -> Callable[[bytes], Response]:
        deserialize = self.inner.deserializer(topic)

        def read(data: bytes) -> Response:
            hash_, at = _read_hash(data, 1)
            return Response(hash_, deserialize(data[at:]) if at < len(data) else None, data[0] & 0x7F)

        return read

    def __repr__(self) -> str:
        return f"response({self.inner!r})"


def subscription(primary_key: Serde[Any], topic: str) -> SubscriptionSerde:
    """topic: the pseudo-topic `<app>-<registration topic>-pk` that the key's serializer is told."""
    return SubscriptionSerde(primary_key, topic)


def response(foreign_value: Serde[Any]) -> ResponseSerde:
    return ResponseSerde(foreign_value)


def combined_prefix(foreign_key: bytes) -> bytes:
    """What all keys of the subscription store for one foreign key begin with (CombinedKeySchema)."""
    return _INT.pack(len(foreign_key)) + foreign_key


def combined_key(foreign_key: bytes, primary_key: bytes) -> bytes:
    """4 B len(fk) ‖ fk ‖ pk."""
    return _INT.pack(len(foreign_key)) + foreign_key + primary_key


def split_combined(data: bytes) -> tuple[bytes, bytes]:
    """Foreign key, primary key."""
    end = 4 + _INT.unpack_from(data)[0]
    return data[4:end], data[end:]


def _read_hash(data: bytes, at: int) -> tuple[bytes | None, int]:
    if data[0] & _NO_HASH:
        return None, at
    end = at + _HASH_SIZE
    if len(data) < end:
        raise ValueError(f"{len(data)} bytes are too few for a hash")
    return data[at:end], end
