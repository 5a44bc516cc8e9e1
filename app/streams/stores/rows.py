"""Rows in memory: a dictionary, and orders over its keys that are made when first asked for."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

from sortedcontainers import SortedList

E = TypeVar("E")

_CHUNK: Final = 64


class Rows(Generic[E]):
    """Row key → entry, remembering the order of the last puts.

    Most stores are only asked for single rows, so nothing is sorted until a scan wants it; from then on the order is
    kept up row by row. `entries` is open to stores whose every nanosecond counts: a put that does not go through
    `put` must do what it does.
    """

    __slots__ = ("_groups", "_order", "_suffix", "entries", "indexed")

    def __init__(self, suffix: int = 0) -> None:
        self.entries: dict[bytes, E] = {}
        self.indexed = False
        self._suffix = suffix
        self._order: SortedList[bytes] | None = None
        self._groups: dict[bytes, list[bytes]] | None = None

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
        if self._groups is not None:
            _add_member(self._groups, row, self._suffix)

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool) -> Iterator[tuple[bytes, E]]:
        """Rows with lo ≤ key < hi. Rows may be put and removed meanwhile: the keys are taken a chunk at a time."""
        order = self._ordered()
        entries = self.entries
        inclusive = (True, False)
        while True:
            chunk = list(islice(order.irange(lo, hi, inclusive, reverse), _CHUNK))
            for row in chunk:
                entry = entries.get(row)
                if entry is not None:
                    yield row, entry
            if len(chunk) < _CHUNK:
                return
            if reverse:
                hi = chunk[-1]
            else:
                lo, inclusive = chunk[-1], (False, False)

    def group(self, group: bytes, lo: bytes, hi: bytes) -> list[bytes]:
        """Keys that are `group` and a suffix with lo ≤ suffix < hi, ascending."""
        groups = self._groups
        if groups is None:
            groups = self._grouped()
        members = groups.get(group)
        if members is None:
            return []
        first, end = group + lo, group + hi
        # Suffixes are times: mostly all members are too old, or all are wanted.
        if members[-1] < first:
            return []
        if members[0] >= first and members[-1] < end:
            return members[:]
        return members[bisect_left(members, first) : bisect_left(members, end)]

    def _ordered(self) -> SortedList[bytes]:
        if self._order is None:
            self._order = SortedList(self.entries)
            self.indexed = True
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
