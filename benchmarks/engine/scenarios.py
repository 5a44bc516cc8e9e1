"""What the benchmark runs: topologies as a user writes them, each beside a plain model of what must come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized, StreamJoined
from app.streams.model import Inbound
from app.streams.serdes import Serde, int64, utf8, windowed
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import JoinWindows, Tumbling

WINDOW: Final = 60_000
REACH: Final = 500

# (key, value, timestamp) of a record that must come out.
Expected: TypeAlias = tuple[bytes, bytes, int]
# Called with each record in the order it must be taken.
Model: TypeAlias = Callable[[str, Inbound], Iterator[Expected]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """aim: records/s wanted of one core. lap: see `Source`. build: (config, serde of the JSON values) -> topology."""

    title: str
    aim: int
    topics: tuple[str, ...]
    lap: int
    build: Callable[[StreamsConfig, Serde[Any]], Topology]
    model: Callable[[], Model]


class Reading(msgspec.Struct):
    """The value as a typed one."""

    n: msgspec.UNSET if False else int  # type: ignore[valid-type]
