"""What every store is to its task: a name, a commit in two steps, a restore."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from app.streams.context import Context
from app.streams.model import Headers, Outbound, Row, row
from app.streams.stores.base import Base
from app.streams.stores.slices import ALL, WHOLE
from app.streams.stores.specs import StoreSpec

if TYPE_CHECKING:
    from app.streams.stores.record_cache import RecordCache

# (key, value, timestamp in ms, headers) of a changelog record.
Restored: TypeAlias = tuple[bytes | None, bytes | None, int, Headers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a store lives.

    subject: the topic name its serdes are told. changelog: the topic its changes go to, None for a store that logs
    nothing. every_put: send each change at once, as Java does with a cache of 0; else one row per changed row at the
    seal. cache: the task's record cache, for stores that ask for caching.
    """

    base: Base
    ctx: Context
    subject: str
    changelog: str | None
    partition: int
    every_put: bool = False
    cache: RecordCache | None = None


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """committed: rows in the base. dirty: rows written since the last seal. sealed: rows in a commit under way.
    stream_time: ms, -1 for kinds without one. position: changelog offset of the committed rows."""

    name: str
    kind: str
    committed: int
    dirty: int
    sealed: int
    stream_time: int = -1
    position: int | None = None


class Store(Protocol):
    """How a task drives any store."""

    @property
    def spec(self) -> StoreSpec: ...

    @property
    def name(self) -> str: ...

    def flushing(self, every: int = ALL) -> Iterator[None]:
        """Before a seal: hand on what a record cache or a suppress buffer holds back, a yield behind so many rows."""
        ...

    def flush(self) -> None:
        """`flushing`, all of it."""
        ...

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        """Serialize all changes since the last seal, a yield behind so many rows; gives those of the changelog (none if
        each was sent at once). Reads go on seeing the changes, and when it has ended writing may go on."""
        ...

    def seal(self) -> list[Row]:
        """`sealing`, all of it."""
        ...

    def applying(self, position: int | None = None, slice_ms: float = WHOLE) -> Iterator[None]:
        """What was sealed is durable: it becomes committed, in slices, together with `position`, the changelog's end
        with it. Closed before its end, it leaves the base as it was, and the store cannot be used any more."""
        ...

    def applied(self, position: int | None = None) -> None:
        """`applying`, all of it."""
        ...

    @property
    def dirty(self) -> int:
        """Rows a commit would make durable; cheap."""
        ...

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """Rebuild from changelog rows, in their order. Only before the store is used."""
        ...

    def statistics(self) -> StoreStatistics: ...


class Changelog:
    """Where the changes of a store go, at once or at the seal."""

    __slots__ = ("_emit", "at_once", "log", "partition", "topic")

    def __init__(self, home: Home) -> None:
        self.topic = home.changelog
        self.partition = home.partition
        self._emit: Callable[[Outbound], None] = home.ctx.emit
        # Whether a put has to be followed by `send`.
        self.at_once = home.every_put and home.changelog is not None
        self.log = not home.every_put and home.changelog is not None

    def send(self, key: bytes, value: bytes | None, timestamp: int | None, headers: Headers = ()) -> None:
        """Now."""
        self._emit(self.row(key, value, timestamp, headers))

    def row(self, key: bytes, value: bytes | None, timestamp: int | None, headers: Headers = ()) -> Row:
        """A change as a record of the changelog topic."""
        if self.topic is None:
            raise ValueError("a store without a changelog has no changelog rows")
        return row((self.topic, self.partition, key, value, timestamp, headers))


def last_of_each_key(rows: Iterable[Row]) -> list[Row]:
    """The last row of each key, in the order they came."""
    last: dict[bytes | None, Row] = {}
    for each in rows:
        last.pop(each.key, None)
        last[each.key] = each
    return list(last.values())
