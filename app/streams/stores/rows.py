"""Rows in memory: a dictionary, and orders over its keys that are made when first asked for."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from app.streams.stores.key_order import KeyOrder
from app.streams.stores.slices import ALL, finish

E = TypeVar("E")

_CHUNK: Final = 64


class _Unlisted:
    """Rows that an order in the making does not have yet. known: those put since, which it got at once."""

    __slots__ = ("keys", "known")

    def __init__(self, entries: dict[bytes, Any]) -> None:
        self.keys = list(entries)
        self.known: set[bytes] = set()

    def take(self, count: int, entries: dict[bytes, Any]) -> list[bytes]:
        """The next ones that are still there."""
        some = [key for key in self.keys[-count:] if key in entries and key not in self.known]
        del self.keys[-count:]
        return some


class Rows(Generic[E]):
    """Row key → entry, remembering the order of the last puts.

    Most stores are only asked for single rows, so nothing is sorted until a scan wants it; from then on the order is
    kept up row by row. Whoever must not wait for all rows to be sorted makes the order before, with `ordering`.
    `entries` is open to stores whose every nanosecond counts: a put that does not go through `put` must do what it
    does.
    """

    __slots__ = ("_groups", "_order", "_suffix", "_unordered", "entries", "indexed")

    def __init__(self, suffix: int = 0) -> None:
        self.entries: dict[bytes, E] = {}
        self.indexed = False
        self._suffix = suffix
        self._order: KeyOrder | None = None
        self._groups: dict[bytes, list[bytes]] | None = None
        # While the order is being made.
        self._unordered: _Unlisted | None = None

    def put(self, row: bytes, entry: E) -> None:
        """Add or replace a row; it is the last one now."""
        entries = self.entries
        if row in entries:
            del entries[row]
        elif self.indexed:
            self.index(row)
        entries[row] = entry

    def replace(self, row: bytes, entry: E) -> None:
        """Add or replace a row, wherever it stands."""
        entries = self.entries
        if self.indexed and row not in entries:
            self.index(row)
        entries[row] = entry

    def remove(self, row: bytes) -> bool:
        """Whether there was such a row."""
        if self.entries.pop(row, None) is None:
            return False
        if self._order is not None:
            self._order.discard(row)
        if self._groups is not None:
            group = row[: -self._suffix]
            members = self._groups[group]
            if len(members) == 1:
                del self._groups[group]
            else:
                del members[bisect_left(members, row)]
        return True

    def apply(self, writes: Iterable[tuple[bytes, E | None]]) -> None:
        """Many rows at once, wherever they stand; None removes."""
        entries = self.entries
        if self.indexed:
            for row, entry in writes:
                if entry is None:
                    self.remove(row)
                else:
                    self.replace(row, entry)
            return
        for row, entry in writes:
            if entry is None:
                entries.pop(row, None)
            else:
                entries[row] = entry

    def index(self, row: bytes) -> None:
        """Bring a new row into the orders there are."""
        if self._order is not None:
            self._order.add(row)
            if self._unordered is not None:
                self._unordered.known.add(row)
        if self._groups is not None:
            _add_member(self._groups, row, self._suffix)

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool) -> Iterator[tuple[bytes, E]]:
        """Rows with lo ≤ key < hi. Rows may be put and removed meanwhile: the keys are taken a chunk at a time."""
        order = self._ordered()
        entries = self.entries
        above = False
        while True:
            chunk = list(islice(order.between(lo, hi, above=above, reverse=reverse), _CHUNK))
            for row in chunk:
                entry = entries.get(row)
                if entry is not None:
                    yield row, entry
            if len(chunk) < _CHUNK:
                return
            if reverse:
                hi = chunk[-1]
            else:
                lo, above = chunk[-1], True

    def group(self, group: bytes, lo: bytes, hi: bytes) -> list[bytes]:
        """Keys that are `group` and a suffix with lo ≤ suffix < hi, ascending."""
        groups, first, end = self._groups, group + lo, group + hi
        if groups is None and self._order is not None:
            # Slower, and nothing has to be made for it. Longer groups may lie between.
            size = len(group) + self._suffix
            order = self._ordered()
            return [row for row in order.between(first, end, above=False, reverse=False) if len(row) == size]
        if groups is None:
            groups = self._grouped()
        members = groups.get(group)
        if members is None:
            return []
        # Suffixes are times: mostly all members are too old, or all are wanted.
        if members[-1] < first:
            return []
        if members[0] >= first and members[-1] < end:
            return members[:]
        return members[bisect_left(members, first) : bisect_left(members, end)]

    def ordering(self, every: int, *, for_groups: bool = False) -> Iterator[None]:
        """Make what `scan` needs, or at least `group`, a yield behind so many rows. Rows may be put and removed
        meanwhile; a second one goes on where the first one is, and a scan does the rest at once."""
        if for_groups and self._groups is not None:
            return
        order = self._order
        if order is None:
            self._unordered = _Unlisted(self.entries)
            order = self._order = KeyOrder.like(self._unordered.keys)
            self.indexed = True
            yield
        while self._unordered is not None:
            for row in self._unordered.take(every, self.entries):
                order.add(row)
            if not self._unordered.keys:
                self._unordered = None
            yield

    def _ordered(self) -> KeyOrder:
        if self._order is None:
            self._order = KeyOrder.of(self.entries)
            self.indexed = True
        elif self._unordered is not None:
            finish(self.ordering(ALL))
        return self._order

    def _grouped(self) -> dict[bytes, list[bytes]]:
        groups: dict[bytes, list[bytes]] = {}
        for row in self.entries:
            _add_member(groups, row, self._suffix)
        self._groups = groups
        self.indexed = True
        return groups


def _add_member(groups: dict[bytes, list[bytes]], row: bytes, suffix: int) -> None:
    members = groups.setdefault(row[:-suffix], [])
    # Suffixes are times, and times mostly go forward.
    if not members or row > members[-1]:
        members.append(row)
    else:
        insort(members, row)
