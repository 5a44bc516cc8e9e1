"""State in temporary directories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app.state import Expected, Limits, LmdbBase, TaskState, open_task_state
from app.streams.serdes import raw
from app.streams.stores.memory import MemoryBase
from app.streams.stores.specs import KeyValueSpec, WindowSpec

NOW = 1_700_000_000_000
DAY = 86_400_000
KV = KeyValueSpec(name="counts", key=raw, value=raw)
WINDOW = WindowSpec(name="windows", key=raw, value=raw, retention=60_000, size=10_000)
SMALL_MAP = Limits(map_bytes=1 << 18)


@dataclass
class Clock:
    now: int = NOW

    def __call__(self) -> int:
        return self.now


def expected(**changes: object) -> Expected:
    facts = {
        "application_id": "app",
        "task": "0_1",
        "subtopology": "digest",
        "stores": ("counts", "windows"),
        "changelogs": {"counts": "topic-id-1"},
        "delete_retention_ms": DAY,
    }
    return Expected(**{**facts, **changes})  # type: ignore[arg-type]


def opened(slot: Path, clock: Clock | None = None, limits: Limits | None = None) -> TaskState:
    return open_task_state(slot, expected(), clock or Clock(), limits)


@contextmanager
def fresh_base(spec: KeyValueSpec | WindowSpec, limits: Limits | None = None) -> Iterator[LmdbBase]:
    with TemporaryDirectory() as folder, opened(Path(folder), limits=limits) as state:
        yield state.base(spec)


def contents(base: LmdbBase | MemoryBase) -> dict[bytes, bytes]:
    return dict(base.scan(None, None))
