"""The commit of a store's rows, in two steps: sealed, then applied."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeAlias

from app.streams.errors import TaskMisused
from app.streams.model import Row
from app.streams.stores.base import Base, Marks
from app.streams.stores.overlay import Entry, Overlay
from app.streams.stores.rows import Rows
from app.streams.stores.slices import ALL, WHOLE, finish, result, shed
from app.streams.stores.store import Home, StoreStatistics

Writes: TypeAlias = list[tuple[bytes, bytes | None]]


class Stage:
    """An overlay, and what its sealed layer will do to the base."""

    __slots__ = ("_dropped", "_marks", "_writes", "base", "overlay")

    def __init__(self, home: Home, decode: Callable[[bytes], Entry], suffix: int = 0) -> None:
        self.base = home.base
        self.overlay = Overlay(home.base, decode, suffix)
        self._writes: Writes = []
        self._marks = home.base.marks()
        self._dropped: Sequence[bytes] = ()

    def seal(self, marks: Marks, dropped: Sequence[bytes] = ()) -> tuple[Rows[Entry], Writes]:
        """The sealed rows, and the list to fill with what they are in the base. The marks and the prefixes to drop are
        those of now: what is put while the commit is under way must not reach the base with it."""
        sealed = self.overlay.seal()
        self._writes, self._marks, self._dropped = [], marks, dropped
        return sealed, self._writes

    def applying(self, position: int | None, slice_ms: float) -> Iterator[None]:
        """The sealed rows enter the base, in slices; until the last one reads find them in the overlay."""
        overlay, writes, marks = self.overlay, self._writes, self._at(self._marks, position)
        if overlay.sealed is None:
            raise TaskMisused("no commit of this store is under way")
        # A store that nothing happened to costs no transaction.
        if writes or self._dropped or marks != self.base.marks():
            yield from self.base.applying(writes, marks, self._dropped, slice_ms=slice_ms)
        self._writes, self._dropped = [], ()
        clean = overlay.settle()
        yield from shed(clean, slice_ms)
        yield from shed(writes, slice_ms)

    def restored(self, writes: Writes, marks: Marks, position: int | None, dropped: Sequence[bytes] = ()) -> None:
        """Rows from a changelog are committed as they come."""
        self.base.apply(writes, self._at(marks, position), dropped)
        self.overlay.forget_clean()

    def statistics(self, name: str, kind: str, stream_time: int = -1) -> StoreStatistics:
        sealed = self.overlay.sealed
        return StoreStatistics(
            name=name,
            kind=kind,
            committed=len(self.base),
            dirty=len(self.overlay.open.entries),
            sealed=0 if sealed is None else len(sealed.entries),
            stream_time=stream_time,
            position=self.base.marks().position,
        )

    def _at(self, marks: Marks, position: int | None) -> Marks:
        return marks._replace(position=self.base.marks().position if position is None else position)


class Staged:
    """A store whose commit is that of its stage."""

    __slots__ = ()

    _stage: Stage

    def flushing(self, every: int = ALL) -> Iterator[None]:
        """Nothing is held back."""
        return iter(())

    def flush(self) -> None:
        finish(self.flushing())

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        raise TypeError(f"{type(self).__name__} does not say what a commit of it is")

    def seal(self) -> list[Row]:
        return result(self.sealing())

    @property
    def dirty(self) -> int:
        """Rows put since the last seal."""
        return len(self._stage.overlay.open.entries)

    @property
    def committed_rows(self) -> Base:
        """What the store stands on: nothing that was not applied."""
        return self._stage.base

    def applying(self, position: int | None = None, slice_ms: float = WHOLE) -> Iterator[None]:
        return self._stage.applying(position, slice_ms)

    def applied(self, position: int | None = None) -> None:
        finish(self.applying(position))
