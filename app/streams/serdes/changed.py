"""A table's change on a repartition topic (reference 2.6; Java: ChangedSerializer, ChangedDeserializer)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from app.streams.model import Change
from app.streams.serdes.serde import Serde

V = TypeVar("V")

_OLD: Final = 0
_NEW: Final = 1
_BOTH: Final = 2
# Each of them with a byte for "is the latest" before the flag; read only.
_WITH_LATEST: Final = 3


class ChangedSerde(Generic[V]):
    """new ‖ `01`, old ‖ `00`, zigzag varint of len(new) ‖ new ‖ old ‖ `02`."""

    __slots__ = ("inner",)

    def __init__(self, inner: Serde[V]) -> None:
        self.inner = inner

    def serializer(self, topic: str) -> Callable[[Change], bytes]:
        serialize = self.inner.serializer(topic)

        def write(change: Change) -> bytes:
            new, old, _ = change
            if new is None:
                if old is None:
                    raise ValueError("a change without an old or a new value cannot be written")
                return serialize(old) + b"\x00"
            if old is None:
                return serialize(new) + b"\x01"
            data = serialize(new)
            return write_varint(len(data)) + data + serialize(old) + b"\x02"

        return write

    def deserializer(self, topic: str) -> Callable[[bytes], Change]:
        deserialize = self.inner.deserializer(topic)

        def read(data: bytes) -> Change:
            new, old, latest = split_change(data)
            return (
                None if new is None else deserialize(new),
                None if old is None else deserialize(old),
                latest,
            )

        return read

    def __repr__(self) -> str:
        return f"changed({self.inner!r})"


def changed(inner: Serde[Any]) -> ChangedSerde[Any]:
    """Changes `(new, old, is latest)` of a table of `inner`."""
    return ChangedSerde(inner)


def split_change(data: bytes) -> tuple[bytes | None, bytes | None, bool]:
    """New value, old value, is latest. Raises ValueError for an unknown flag."""
    flag, end, latest = data[-1], len(data) - 1, True
    if _WITH_LATEST <= flag <= _WITH_LATEST + _BOTH:
        flag, end = flag - _WITH_LATEST, end - 1
        if data[end] > 1:
            raise ValueError(f"{data[end]:#04x} is no is-latest byte")
        latest = data[end] == 1
    if flag == _OLD:
        return None, data[:end], latest
    if flag == _NEW:
        return data[:end], None, latest
    if flag == _BOTH:
        length, at = read_varint(data)
        return data[at : at + length], data[at + length : end], latest
    raise ValueError(f"{data[-1]:#04x} is no flag of a change")


def write_varint(value: int) -> bytes:
    """Zigzag varint, as Kafka's ByteUtils.writeVarint. value ≥ 0."""
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes) -> tuple[int, int]:
    """The value, and where it ends."""
    value = shift = 0
    for at, byte in enumerate(data):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + 1
        shift += 7
    raise ValueError("a varint that does not end")
