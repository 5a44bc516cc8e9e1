"""Uncommitted rows over a base: what is being written, what a commit under way has sealed, what is committed.

An entry is a tuple whose first field is the decoded value, None for a row that is deleted. Values are decoded at most
once a commit and encoded once, at the seal; they are shared, so whoever gets one must not change it in place.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias

from app.streams.errors import TaskMisused
from app.streams.stores.base import Base
from app.streams.stores.rows import Rows

Entry: TypeAlias = tuple[Any, ...]

_KEY: Final = itemgetter(0)
# Rows of the base that are remembered after they were read; to let go of them all takes 2 ms.
_MOST_READ: Final = 20_000


class Readable(Protocol):
    """Rows to read: the newest ones, or the committed ones alone. No deleted row is ever shown."""

    def get(self, row: bytes) -> Entry | None: ...

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, Entry]]: ...

    def keys(self, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[bytes]: ...

    def group(self, group: bytes, lo: bytes, hi: bytes) -> Sequence[tuple[bytes, Entry]]: ...

    def first(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> tuple[bytes, Entry] | None: ...

    def count(self) -> int: ...


class Committed:
    """The base alone: what has been applied, whatever is being written."""

    __slots__ = ("base", "decode")

    def __init__(self, base: Base, decode: Callable[[bytes], Entry]) -> None:
        self.base = base
        self.decode = decode

    def get(self, row: bytes) -> Entry | None:
        data = self.base.get(row)
        return None if data is None else self.decode(data)

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, Entry]]:
        decode = self.decode
        return ((row, decode(data)) for row, data in self.base.scan(lo, hi, reverse))

    def keys(self, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[bytes]:
        return (row for row, _ in self.base.scan(lo, hi, reverse))

    def group(self, group: bytes, lo: bytes, hi: bytes) -> Sequence[tuple[bytes, Entry]]:
        return [(row, self.decode(data)) for row, data in self.base.group(group, lo, hi)]

    def first(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> tuple[bytes, Entry] | None:
        found = next(self.base.group(group, lo, hi, reverse), None)
        return None if found is None else (found[0], self.decode(found[1]))

    def count(self) -> int:
        return len(self.base)


class Overlay:
    """Reads look in `open`, then in `sealed`, then in what was read or applied before, then in the base."""

    __slots__ = ("_clean", "_most", "_suffix", "base", "decode", "open", "sealed")

    def __init__(self, base: Base, decode: Callable[[bytes], Entry], suffix: int = 0) -> None:
        self.base = base
        self.decode = decode
        self.open: Rows[Entry] = Rows(suffix)
        self.sealed: Rows[Entry] | None = None
        self._clean: dict[bytes, Entry] = {}
        self._most = _MOST_READ
        self._suffix = suffix

    def get(self, row: bytes) -> Entry | None:
        entry = self.open.entries.get(row)
        if entry is None:
            return self.below(row)
        return None if entry[0] is None else entry

    def below(self, row: bytes) -> Entry | None:
        """The row as it is under the open layer."""
        entry = None if self.sealed is None else self.sealed.entries.get(row)
        if entry is None:
            entry = self._clean.get(row)
        if entry is not None:
            return None if entry[0] is None else entry
        data = self.base.get(row)
        if data is None:
            return None
        clean = self._clean
        entry = clean[row] = self.decode(data)
        if len(clean) > self._most:
            self.forget_clean()
        return entry

    def put(self, row: bytes, entry: Entry) -> None:
        self.open.put(row, entry)

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, Entry]]:
        """Rows with lo ≤ key < hi. Rows may be put meanwhile."""
        decode = self.decode
        committed = ((row, decode(data)) for row, data in self.base.scan(lo, hi, reverse))
        layers = [layer.scan(lo, hi, reverse) for layer in self._layers()]
        return merge([*layers, committed], reverse) if layers else committed

    def keys(self, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[bytes]:
        """Keys of rows with lo ≤ key < hi, their committed values untouched."""
        layers: list[Iterator[tuple[bytes, Entry]]] = [layer.scan(lo, hi, reverse) for layer in self._layers()]
        layers.append((row, _PRESENT) for row, _ in self.base.scan(lo, hi, reverse))
        return (row for row, _ in merge(layers, reverse))

    def group(self, group: bytes, lo: bytes, hi: bytes) -> Sequence[tuple[bytes, Entry]]:
        """Rows whose key is `group` and a suffix with lo ≤ suffix < hi, ascending."""
        found = self._committed_group(group, lo, hi)
        for layer in (self.sealed, self.open):
            if layer is None or not layer.entries:
                continue
            rows = layer.group(group, lo, hi)
            if not rows:
                continue
            if found and rows[0] <= found[-1][0]:
                return self._merged_group(found, group, lo, hi)
            # Rows come in the order of time mostly: what is newer follows what is older.
            entries = layer.entries
            found += [(row, entry) for row in rows if (entry := entries[row])[0] is not None]
        return found

    def _merged_group(
        self, found: list[tuple[bytes, Entry]], group: bytes, lo: bytes, hi: bytes
    ) -> list[tuple[bytes, Entry]]:
        merged: dict[bytes, Entry] = dict(found)
        for layer in reversed(self._layers()):
            entries = layer.entries
            for row in layer.group(group, lo, hi):
                merged[row] = entries[row]
        return [(row, entry) for row, entry in sorted(merged.items(), key=_KEY) if entry[0] is not None]

    def first(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> tuple[bytes, Entry] | None:
        """The lowest row of such a group, or the highest."""
        parts: list[Iterable[tuple[bytes, Entry]]] = []
        for layer in self._layers():
            rows = layer.group(group, lo, hi)
            if rows:
                parts.append(_entries(layer.entries, rows, reverse))
        decode = self.decode
        parts.append((row, decode(data)) for row, data in self.base.group(group, lo, hi, reverse))
        return next(merge(parts, reverse), None)

    def count(self) -> int:
        """Rows there are, exactly as far as the base counts exactly."""
        total = len(self.base)
        new: dict[bytes, bool] = {}
        for layer in reversed(self._layers()):
            new.update((row, entry[0] is not None) for row, entry in layer.entries.items())
        get = self.base.get
        return total + sum(present - (get(row) is not None) for row, present in new.items())

    def seal(self) -> Rows[Entry]:
        """Close the open layer and return it; writing goes on in a new one."""
        if self.sealed is not None:
            raise TaskMisused("a commit of this store is under way")
        self.sealed = self.open
        self.open = Rows(self._suffix)
        return self.sealed

    def settle(self) -> dict[bytes, Entry]:
        """The sealed rows are in the base. What they replace here is given back, to be let go of."""
        if self.sealed is None:
            raise TaskMisused("no commit of this store is under way")
        clean = self._clean
        # They are decoded already, and rows just written tend to be asked for again.
        self._clean = self.sealed.entries
        self._most = len(self._clean) + _MOST_READ
        self.sealed = None
        return clean

    def forget_clean(self) -> None:
        """What was read from the base is read again: there is too much of it, or the base was changed from outside."""
        self._clean = {}
        self._most = _MOST_READ

    @property
    def remembered(self) -> int:
        """Rows of the base that are held decoded."""
        return len(self._clean)

    def _layers(self) -> list[Rows[Entry]]:
        layers = [self.open] if self.open.entries else []
        if self.sealed is not None and self.sealed.entries:
            layers.append(self.sealed)
        return layers

    def _committed_group(self, group: bytes, lo: bytes, hi: bytes) -> list[tuple[bytes, Entry]]:
        clean = self._clean
        found = []
        for row, data in self.base.group(group, lo, hi):
            entry = clean.get(row)
            if entry is None:
                entry = clean[row] = self.decode(data)
            found.append((row, entry))
        if len(clean) > self._most:
            self.forget_clean()
        return found


_PRESENT: Final[Entry] = (True,)


def _entries(entries: dict[bytes, Entry], rows: list[bytes], reverse: bool) -> Iterator[tuple[bytes, Entry]]:
    return ((row, entries[row]) for row in (reversed(rows) if reverse else rows))


def merge(layers: Sequence[Iterable[tuple[bytes, Entry]]], reverse: bool) -> Iterator[tuple[bytes, Entry]]:
    """One order of several: of equal keys the first layer's entry counts, deleted rows are left out."""
    last: bytes | None = None
    for row, entry in heapq.merge(*layers, key=_KEY, reverse=reverse):
        if row != last:
            last = row
            if entry[0] is not None:
                yield row, entry
