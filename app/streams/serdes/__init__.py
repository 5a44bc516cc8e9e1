"""Values ↔ bytes. `utf8`, `raw`, `int32`, `int64`, `float64` and `uuid` are Java's; a serde of one's own is any object
with the two methods of `Serde`."""

from app.streams.serdes.listing import listing
from app.streams.serdes.primitive import float64, int32, int64, raw, utf8, uuid
from app.streams.serdes.serde import Serde
from app.streams.serdes.structured import json
from app.streams.serdes.windowed import SessionWindowedSerde, WindowedSerde, session_windowed, windowed

__all__ = [
    "Serde",
    "SessionWindowedSerde",
    "WindowedSerde",
    "float64",
    "int32",
    "int64",
    "json",
    "listing",
    "raw",
    "session_windowed",
    "utf8",
    "uuid",
    "windowed",
]
