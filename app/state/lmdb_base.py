"""A store's committed rows in LMDB: data, changelog position and the rest of the marks in one transaction."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from zlib import crc32

import lmdb

from app.state.environment import RESIDUE, Environment, Snapshot, Transaction, sealed
from app.state.faults import damaged, fault_of
from app.state.long_keys import LIMIT, LINK_SIZE, Bound, Databases, LongKeys, after, walk
from app.streams.stores.base import Marks

# Time of a commit, in ms, for the state as a whole.
Stamp: TypeAlias = Callable[[Transaction], None]

Notes: TypeAlias = tuple[int, int, int, int, int]
# position (-1: none), stream time, row sequence, log sequence, rows beyond the entries of the store's database
_MARKS = struct.Struct(">qqqqq")
_NO_MARKS: Final[Notes] = (-1, -1, 0, 0, 0)
# Rows between two looks at the clock.
_STRIDE: Final = 64


@dataclass(frozen=True, slots=True)
class BaseStatistics:
    """entries: rows. bytes: of the pages of the store's own database, without the tails of keys above 510 bytes."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Layout:
    """prefix, suffix: bytes of a key that name its segment, and that follow its group (`opening.key_layout`)."""

    prefix: int = 0
    suffix: int = 0


class _Pace:
    """Says when a slice of work is over."""

    __slots__ = ("_clock", "_end", "_slice_s")

    def __init__(self, slice_s: float, clock: Callable[[], float]) -> None:
        self._slice_s = slice_s
        self._clock = clock
        self._end = clock() + slice_s

    def step(self) -> Iterator[None]:
        if self._clock() >= self._end:
            yield
            self._end = self._clock() + self._slice_s


@dataclass(frozen=True, slots=True)
class _Write:
    """`environment.Gathered`: the arguments of an `apply`."""

    base: LmdbBase
    writes: Sequence[tuple[bytes, bytes | None]]
    marks: Marks
    dropped: Sequence[bytes]

    def forget(self) -> None:
        self.base.reread()

    def repeat(self, txn: Transaction) -> None:
        self.base.rewrite(txn, self)


class LmdbBase:
    """`app.streams.stores.base.Base`. A scan stays in the state it began in, whatever is applied meanwhile; only a
    growing map moves it to the newest one, where it goes on behind its last row. Pages that a scan can still reach are
    not used again: one that is kept half-read makes the file grow.

    stamp: called with every transaction, to write what belongs to the environment as a whole.
    """

    __slots__ = ("_dbs", "_environment", "_layout", "_long", "_name", "_notes", "_stamp")

    def __init__(
        self,
        environment: Environment,
        dbs: Databases,
        name: str,
        layout: Layout,
        stamp: Stamp,
    ) -> None:
        self._environment = environment
        self._dbs = dbs
        self._name = b"s" + name.encode()
        self._layout = layout
        self._stamp = stamp
        self._long = LongKeys(environment, dbs)
        self._notes = self._read_notes()

    # reading

    def get(self, row: bytes) -> bytes | None:
        environment = self._environment
        snapshot = environment.latest or environment.snapshot()
        try:
            if not 0 < len(row) <= LIMIT:
                return self._get_odd(snapshot, row)
            data = snapshot.txn.get(row, None, self._dbs.rows)
        except lmdb.Error as error:
            raise fault_of(error, environment.path) from error
        if data is None:
            return None
        # What Environment.opened does, without its call: this is the hottest read there is.
        if crc32(data, crc32(row)) != RESIDUE:
            raise damaged(environment.path, f"the row {row[:64].hex()} fails its checksum")
        return data[:-4]

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        if lo is not None and hi is not None and lo >= hi:
            return iter(())
        return self._scan(self._environment.snapshot(), lo, hi, reverse)

    def group(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        # Between the bounds lie rows of longer groups too, if their bytes go on like a suffix.
        size = len(group) + self._layout.suffix
        return (entry for entry in self.scan(group + lo, group + hi, reverse) if len(entry[0]) == size)

    def prefixes(self) -> list[bytes]:
        width = self._layout.prefix
        found = []
        lo: Bound = b""
        while lo is not None:
            first = next(self.scan(lo, None), None)
            if first is None:
                break
            prefix = first[0][:width]
            found.append(prefix)
            lo = after(prefix)
        return found

    def marks(self) -> Marks:
        position, *others = self._notes[:4]
        return Marks(None if position < 0 else position, *others)

    def __len__(self) -> int:
        return self.statistics().entries

    def statistics(self) -> BaseStatistics:
        environment = self._environment
        try:
            stat = environment.snapshot().txn.stat(self._dbs.rows)
        except lmdb.Error as error:
            raise fault_of(error, environment.path) from error
        pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        return BaseStatistics(entries=stat["entries"] + self._notes[4], bytes=pages * stat["psize"])

    # writing

    def apply(self, writes: Iterable[tuple[bytes, bytes | None]], marks: Marks, dropped: Sequence[bytes] = ()) -> None:
        for _ in self.applying(writes, marks, dropped, slice_ms=float("inf")):
            pass

    def applying(
        self,
        writes: Iterable[tuple[bytes, bytes | None]],
        marks: Marks,
        dropped: Sequence[bytes] = (),
        *,
        slice_ms: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> Generator[None, None, None]:
        """`apply` in steps of about `slice_ms`: it yields between them, and readers see the old state until the last
        one, which commits; that step writes the changed pages to the file and cannot be cut. Closed before its end,
        it leaves nothing behind. No other store of the environment can be written meanwhile."""
        # A map that is too small means beginning again.
        again = writes if isinstance(writes, Sequence) else list(writes)
        while True:
            write = _Write(self, again, marks, dropped)
            try:
                with self._environment.writing() as txn:
                    notes = yield from self.write(txn, write, _Pace(slice_ms / 1000, clock))
            except lmdb.MapFullError:
                self._environment.grow()
            else:
                self._notes = notes
                self._environment.gathered(write)
                return

    def write(self, txn: Transaction, what: _Write, pace: _Pace) -> Generator[None, None, Notes]:
        rows, extra = self._dbs.rows, self._notes[4]
        for prefix in what.dropped:
            for removed in self._drop(txn, prefix):
                extra += removed
                yield from pace.step()
        put, delete, writes, marks = txn.put, txn.delete, what.writes, what.marks
        for at in range(0, len(writes), _STRIDE):
            for row, value in writes[at : at + _STRIDE]:
                if not 0 < len(row) <= LIMIT:
                    extra += self._write_odd(txn, row, value)
                elif value is None:
                    delete(row, b"", rows)
                else:
                    # What `sealed` does, without its call.
                    put(row, value + crc32(value, crc32(row)).to_bytes(4, "little"), True, True, False, rows)
            yield from pace.step()
        position = -1 if marks.position is None else marks.position
        notes = (position, marks.stream_time, marks.row_sequence, marks.log_sequence, extra)
        txn.put(self._name, sealed(self._name, _MARKS.pack(*notes)), db=self._dbs.notes)
        self._stamp(txn)
        return notes

    def reread(self) -> None:
        """The marks as they are committed."""
        self._notes = self._read_notes()

    def rewrite(self, txn: Transaction, what: _Write) -> None:
        """What was written before, in a transaction that came to nothing."""
        writing = self.write(txn, what, _Pace(float("inf"), time.perf_counter))
        while True:
            try:
                next(writing)
            except StopIteration as end:
                self._notes = end.value
                return

    def _drop(self, txn: Transaction, prefix: bytes) -> Iterator[int]:
        """Remove the rows with this prefix; gives, every few rows, how many of them were no entries of `rows`."""
        cursor = txn.cursor(self._dbs.rows)
        beyond = seen = 0
        if not prefix:
            beyond += self._write_odd(txn, b"", None)
        found = cursor.set_range(prefix) if prefix else cursor.first()
        while found and (key := cursor.key()).startswith(prefix):
            if len(key) == LINK_SIZE:
                # The link itself was counted as an entry that is no row.
                beyond += 1 - self._long.clear(txn, key, cursor.value())
            cursor.delete()
            found = bool(cursor.key())
            seen += 1
            if seen % _STRIDE == 0:
                yield beyond
                beyond = 0
        yield beyond

    # keys that LMDB does not take: the empty one, and those above LIMIT

    def _get_odd(self, snapshot: Snapshot, row: bytes) -> bytes | None:
        if row:
            return self._long.get(snapshot.txn, row)
        key = self._empty_key()
        data = snapshot.txn.get(key, db=self._dbs.notes)
        return None if data is None else self._environment.opened(key, data)

    def _write_odd(self, txn: Transaction, row: bytes, value: bytes | None) -> int:
        """By how much the rows outgrow the entries of `rows`."""
        if row:
            return self._long.delete(txn, row) if value is None else self._long.put(txn, row, value)
        key = self._empty_key()
        present = txn.get(key, db=self._dbs.notes) is not None
        if value is None:
            txn.delete(key, db=self._dbs.notes)
            return -present
        txn.put(key, sealed(key, value), db=self._dbs.notes)
        return not present

    def _empty_key(self) -> bytes:
        return b"e" + self._name[1:]

    def _scan(self, snapshot: Snapshot, lo: Bound, hi: Bound, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        last: Bound = None
        while True:
            try:
                for entry in self._rows(snapshot, lo, hi, reverse):
                    last = entry[0]
                    yield entry
            except lmdb.Error as error:
                if not snapshot.ended:
                    raise fault_of(error, self._environment.path) from error
                snapshot = self._environment.snapshot()
                if last is not None:
                    lo, hi = (lo, last) if reverse else (last + b"\x00", hi)
            else:
                return

    def _rows(self, snapshot: Snapshot, lo: Bound, hi: Bound, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        empty = self._get_odd(snapshot, b"") if not lo and hi != b"" else None
        if empty is not None and not reverse:
            yield b"", empty
        yield from walk(self._environment, snapshot.txn, self._dbs, (lo, hi), reverse)
        if empty is not None and reverse:
            yield b"", empty

    def _read_notes(self) -> Notes:
        data = self._environment.snapshot().txn.get(self._name, db=self._dbs.notes)
        if data is None:
            return _NO_MARKS
        found: Notes = _MARKS.unpack(self._environment.opened(self._name, data))
        return found
