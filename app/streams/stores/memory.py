"""The base in memory: one set of rows for each prefix, so that a whole segment goes at once."""

from __future__ import annotations

from bisect import insort
from collections.abc import Generator, Iterable, Iterator, Sequence

from app.streams.stores.base import Marks
from app.streams.stores.rows import Rows
from app.streams.stores.slices import rows_of, shed


class MemoryBase:
    """prefix, suffix: bytes of a key that name its segment, and that follow its group."""

    __slots__ = ("_busy", "_marks", "_parts", "_prefix", "_prefixes", "_suffix", "_whole")

    def __init__(self, prefix: int = 0, suffix: int = 0) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._parts: dict[bytes, Rows[bytes]] = {}
        self._prefixes: list[bytes] = []
        self._marks = Marks()
        self._busy = False
        # Without prefixes all rows are one part, which stays: most stores are so, and need no look-up for it.
        self._whole: Rows[bytes] | None = None
        if not prefix:
            self._whole = self._parts[b""] = Rows(suffix)
            self._prefixes.append(b"")

    def get(self, row: bytes) -> bytes | None:
        if self._whole is not None:
            return self._whole.entries.get(row)
        part = self._parts.get(row[: self._prefix])
        return None if part is None else part.entries.get(row)

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        prefixes = self._prefixes[::-1] if reverse else self._prefixes[:]
        for prefix in prefixes:
            if (lo is not None and prefix < lo[: self._prefix]) or (hi is not None and prefix > hi[: self._prefix]):
                continue
            part = self._parts.get(prefix)
            if part is not None:
                yield from part.scan(lo, hi, reverse)

    def group(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        part = self._parts.get(group[: self._prefix])
        if part is None:
            return iter(())
        keys = part.group(group, lo, hi)
        if not keys:
            return iter(())
        if reverse:
            keys.reverse()
        entries = part.entries
        return iter([(key, entries[key]) for key in keys])

    def prefixes(self) -> list[bytes]:
        return [prefix for prefix in self._prefixes if self._parts[prefix].entries]

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
        """Readers see rows as they come in: each of them is committed, only `marks` are not yet theirs."""
        rows = rows_of(slice_ms)
        if len(writes) <= rows:
            self.apply(writes, marks, dropped)
            return
        self._refuse_two()
        self._busy = True
        # What was there before, to be put back if this is not finished.
        undo: list[tuple[bytes, bytes | None]] = []
        gone = {prefix: part for prefix in dropped if (part := self._drop(prefix)) is not None}
        done = False
        try:
            for at in range(0, len(writes), rows):
                if at:
                    yield
                some = writes[at : at + rows]
                undo += [(row, self.get(row)) for row, _ in some]
                self._write(some)
            self._marks = marks
            done = True
        finally:
            if not done:
                self._write(reversed(undo))
                for prefix, part in gone.items():
                    self._parts[prefix] = part
                    insort(self._prefixes, prefix)
            self._busy = False
        yield from shed(undo, slice_ms)
        for part in gone.values():
            yield from shed(part.entries, slice_ms)

    def marks(self) -> Marks:
        return self._marks

    def __len__(self) -> int:
        return sum(len(part.entries) for part in self._parts.values())

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
        if self._busy:
            raise RuntimeError("rows are being applied: that has to end before the next ones come")
