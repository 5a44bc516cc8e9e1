"""The text beside a committed offset (reference 2.7; Java: TopicPartitionMetadata, ProcessorMetadata)."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

UNKNOWN: Final = -1
# What a broker takes by default (offset.metadata.max.bytes).
MAX_LENGTH: Final = 4096

_VERSION: Final = 2
_LONG = struct.Struct(">q")
_INT = struct.Struct(">i")


class OffsetMetadata(NamedTuple):
    """partition_time: highest timestamp taken from the partition, in ms, -1 unknown. processor: what nodes keep under
    their stores' names (D15)."""

    partition_time: int
    processor: Mapping[str, int]


NOTHING: Final = OffsetMetadata(UNKNOWN, {})


def encode(partition_time: int, processor: Mapping[str, int]) -> str:
    """base64( `02` ‖ 8 B time ‖ [int count ‖ (int length ‖ key ‖ 8 B value)*] ), the bracket only if there is any."""
    parts = [bytes((_VERSION,)), _LONG.pack(partition_time)]
    if processor:
        parts.append(_INT.pack(len(processor)))
        for name, value in processor.items():
            key = name.encode()
            parts += (_INT.pack(len(key)), key, _LONG.pack(value))
    return base64.b64encode(b"".join(parts)).decode("ascii")


def decode(text: str) -> OffsetMetadata | None:
    """The metadata of version 1 or 2; NOTHING for the empty text; None for what is neither, which deserves a warning
    and counts as nothing."""
    if not text:
        return NOTHING
    try:
        data = base64.b64decode(text, validate=True)
        if data[0] not in (1, _VERSION):
            return None
        (time,) = _LONG.unpack_from(data, 1)
        return OffsetMetadata(time, _read_processor(data) if data[0] == _VERSION and len(data) > 9 else {})
    except (binascii.Error, struct.error, IndexError, UnicodeDecodeError, ValueError):
        return None


def _read_processor(data: bytes) -> dict[str, int]:
    (count,) = _INT.unpack_from(data, 9)
    at = 13
    found: dict[str, int] = {}
    for _ in range(count):
        (length,) = _INT.unpack_from(data, at)
        key = data[at + 4 : at + 4 + length]
        at += 4 + length
        (found[key.decode()],) = _LONG.unpack_from(data, at)
        at += 8
    return found
