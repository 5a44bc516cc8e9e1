"""Rows that wait for a partner in a left or outer stream-stream join (reference 2.5; Java: TimestampedKeyAndJoinSide,
LeftOrRightValue). One byte says the side: 1 left, 0 right."""

from __future__ import annotations

import struct

_TIMESTAMP_SIDE = struct.Struct(">qB")


def write_key(timestamp: int, is_left: bool, key: bytes) -> bytes:
    """8 B timestamp ‖ side ‖ key: sorted by time, the right side first."""
    return _TIMESTAMP_SIDE.pack(timestamp, is_left) + key


def read_key(data: bytes) -> tuple[int, bool, bytes]:
    """Timestamp, is left, key."""
    timestamp, side = _TIMESTAMP_SIDE.unpack_from(data)
    return timestamp, bool(side), data[_TIMESTAMP_SIDE.size :]


def write_value(is_left: bool, value: bytes) -> bytes:
    """side ‖ value."""
    return (b"\x01" if is_left else b"\x00") + value


def read_value(data: bytes) -> tuple[bool, bytes]:
    """Is left, value."""
    if data[0] > 1:
        raise ValueError(f"{data[0]:#04x} is no side of a join")
    return data[0] == 1, data[1:]
