"""The base in memory: one set of rows for each prefix, so that a whole segment goes at once."""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Generator, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final

from app.streams.stores.base import Marks
from app.streams.stores.rows import Rows
from app.streams.stores.slices import finish, rows_of, shed

_KEY: Final = itemgetter(0)


class _Before:
    """What an apply that is under way has changed so far, as it was. gone: dropped segments, whole. indexed: whether
    scans are to be expected."""

    __slots__ = ("added", "changed", "gone", "prefixes")

    def __init__(self, suffix: int, prefixes: list[bytes], gone: dict[bytes, Rows[bytes]], indexed: bool) -> None:
        self.added: dict[bytes, None] = {}
        self.changed: Rows[bytes] = Rows(suffix)
        self.prefixes = prefixes
        self.gone = gone
        if indexed:
            # Kept up from the first row on, so that no scan has to sort them all.
            finish(self.changed.ordering(1))

    def note(self, row: bytes, value: bytes | None) -> None:
        """Before it is written; only the first time counts."""
        if row in self.added or row in self.changed.entries:
            return
        if value is None:
            self.added[row] = None
        else:
            self.changed.put(row, value)

    def is_touched(self, row: bytes) -> bool:
        return row in self.added or row in self.changed.entries

    def undo(self) -> Iterator[tuple[bytes, bytes | None]]:
        """The writes that lead back, but for what is gone."""
        yield from self.added.items()
        yield from self.changed.entries.items()


class MemoryBase:
    """prefix, suffix: bytes of a key that name its segment, and that follow its group."""

    __slots__ = ("_before", "_direct", "_marks", "_parts", "_prefix", "_prefixes", "_suffix", "_whole")

    def __init__(self, prefix: int = 0, suffix: int = 0) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._parts: dict[bytes, Rows[bytes]] = {}
        self._prefixes: list[bytes] = []
        self._marks = Marks()
        # While an apply is under way.
        self._before: _Before | None = None
        # Without prefixes all rows are one part, which stays: most stores are so, and need no look-up for it.
        self._whole: Rows[bytes] | None = None
        if not prefix:
            self._whole = self._parts[b""] = Rows(suffix)
            self._prefixes.append(b"")
        # Where `get` finds a row without a further question.
        self._direct = None if self._whole is None else self._whole.entries

    def get(self, row: bytes) -> bytes | None:
        if self._direct is not None:
            return self._direct.get(row)
        before, prefix = self._before, row[: self._prefix]
        part = self._parts.get(prefix)
        if before is not None:
            if prefix in before.gone:
                part = before.gone[prefix]
            elif before.is_touched(row):
                part = before.changed
        return None if part is None else part.entries.get(row)

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        before = self._before
        return self._scan(lo, hi, reverse) if before is None else self._scan_before(before, lo, hi, reverse)

    def _scan(self, lo: bytes | None, hi: bytes | None, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        for prefix in self._between(self._prefixes, lo, hi, reverse):
            part = self._parts.get(prefix)
            if part is not None:
                yield from part.scan(lo, hi, reverse)

    def _scan_before(
        self, before: _Before, lo: bytes | None, hi: bytes | None, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        last = None
        rows = self._untouched(before, lo, hi, reverse), before.changed.scan(lo, hi, reverse)
        for entry in heapq.merge(*rows, key=_KEY, reverse=reverse):
            # Whoever reads on after the end of the apply may meet a row again.
            if entry[0] != last:
                last = entry[0]
                yield entry

    def _untouched(
        self, before: _Before, lo: bytes | None, hi: bytes | None, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        for prefix in self._between(before.prefixes, lo, hi, reverse):
            if prefix in before.gone:
                yield from before.gone[prefix].scan(lo, hi, reverse)
            elif (part := self._parts.get(prefix)) is not None:
                yield from (entry for entry in part.scan(lo, hi, reverse) if not before.is_touched(entry[0]))

    def _between(self, prefixes: list[bytes], lo: bytes | None, hi: bytes | None, reverse: bool) -> list[bytes]:
        first = b"" if lo is None else lo[: self._prefix]
        last = None if hi is None else hi[: self._prefix]
        found = [prefix for prefix in prefixes if prefix >= first and (last is None or prefix <= last)]
        return found[::-1] if reverse else found

    def group(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        before, prefix = self._before, group[: self._prefix]
        part = self._parts.get(prefix) if before is None else before.gone.get(prefix, self._parts.get(prefix))
        found: list[tuple[bytes, bytes]] = []
        if part is not None:
            entries = part.entries
            found = [(key, entries[key]) for key in part.group(group, lo, hi)]
        if before is not None and prefix not in before.gone:
            entries = before.changed.entries
            found = [entry for entry in found if not before.is_touched(entry[0])]
            found = sorted(found + [(key, entries[key]) for key in before.changed.group(group, lo, hi)])
        if reverse:
            found.reverse()
        return iter(found)

    def prefixes(self) -> list[bytes]:
        if self._before is not None:
            return self._before.prefixes[:]
        return [prefix for prefix in self._prefixes if self._parts[prefix].entries]

    def ordering(self, slice_ms: float, *, for_groups: bool = False) -> Iterator[None]:
        """Make what `scan` needs, or only `group`, in slices: at once it takes a second for a million rows."""
        gone = () if self._before is None else self._before.gone.values()
        for part in [*self._parts.values(), *gone]:
            yield from part.ordering(rows_of(slice_ms), for_groups=for_groups)

    def apply(self, writes: Iterable[tuple[bytes, bytes | None]], marks: Marks, dropped: Sequence[bytes] = ()) -> None:
        self._refuse_two()
        for prefix in dropped:
            self._drop(prefix)
        self._write(writes)
        self._marks = marks

    def applying(
        self,
        writes: Sequence[tuple[bytes, bytes | None]],
        marks: Marks,
        dropped: Sequence[bytes] = (),
        *,
        slice_ms: float,
    ) -> Generator[None, None, None]:
        """Readers see the old rows and the old marks until the last step."""
        rows = rows_of(slice_ms)
        if len(writes) <= rows:
            self.apply(writes, marks, dropped)
            return
        self._refuse_two()
        prefixes, indexed = self.prefixes(), any(part.indexed for part in self._parts.values())
        gone = {prefix: part for prefix in dropped if (part := self._drop(prefix)) is not None}
        before = self._before = _Before(self._suffix, prefixes, gone, indexed)
        self._direct = None
        done = False
        try:
            for at in range(0, len(writes), rows):
                if at:
                    yield
                some = writes[at : at + rows]
                for row, _ in some:
                    before.note(row, self._newest(row))
                self._write(some)
            self._marks = marks
            done = True
        finally:
            if not done:
                self._write(before.undo())
                for prefix, part in gone.items():
                    self._parts[prefix] = part
                    insort(self._prefixes, prefix)
            self._before = None
            self._direct = None if self._whole is None else self._whole.entries
        yield from shed(before.added, slice_ms)
        yield from shed(before.changed.entries, slice_ms)
        for part in gone.values():
            yield from shed(part.entries, slice_ms)

    def marks(self) -> Marks:
        return self._marks

    def __len__(self) -> int:
        return sum(len(part.entries) for part in self._parts.values())

    def _newest(self, row: bytes) -> bytes | None:
        """As it is already written, if it is."""
        part = self._parts.get(row[: self._prefix])
        return None if part is None else part.entries.get(row)

    def _write(self, writes: Iterable[tuple[bytes, bytes | None]]) -> None:
        if self._whole is not None:
            self._whole.apply(writes)
            return
        parts, width = self._parts, self._prefix
        for row, value in writes:
            prefix = row[:width]
            part = parts.get(prefix)
            if value is not None:
                if part is None:
                    part = parts[prefix] = Rows(self._suffix)
                    insort(self._prefixes, prefix)
                part.replace(row, value)
            elif part is not None and part.remove(row) and not part.entries:
                self._drop(prefix)

    def _drop(self, prefix: bytes) -> Rows[bytes] | None:
        part = self._parts.pop(prefix, None)
        if part is not None:
            self._prefixes.remove(prefix)
        return part

    def _refuse_two(self) -> None:
        if self._before is not None:
            raise RuntimeError("rows are being applied: that has to end before the next ones come")
