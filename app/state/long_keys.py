"""Keys longer than LMDB takes (511 bytes), in the order of their bytes.

A key up to LIMIT is its own LMDB key. Longer ones that share their first LIMIT bytes hang on one *link*, whose LMDB key
is those bytes and NODE, and whose value is a number; their tails are rows of a second database, `number ‖ tail`, where
a tail that is still too long hangs on a further link. So

    the key of LIMIT bytes itself  <  its link, and all keys that begin with it  <  every other greater key

and a walk that goes down at each link meets all keys in order. Keys that fit pay nothing. A link is told by its length:
511 bytes, which no other LMDB key has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from app.state.environment import Database, Environment, Transaction, sealed

LIMIT: Final = 510
LINK_SIZE: Final = 511
NODE: Final = b"\x01"
_NUMBER: Final = 8
_PIECE: Final = LIMIT - _NUMBER
_NEXT: Final = b"next"

# lo ≤ key < hi, None is no bound.
Bound = bytes | None


class Databases(NamedTuple):
    """rows: a store's own. tails: of all stores of the environment. notes: marks, and the next free number."""

    rows: Database
    tails: Database
    notes: Database


class LongKeys:
    """Single rows whose key is above LIMIT."""

    __slots__ = ("_dbs", "_environment")

    def __init__(self, environment: Environment, dbs: Databases) -> None:
        self._environment = environment
        self._dbs = dbs

    def get(self, txn: Transaction, row: bytes) -> bytes | None:
        path = self._path(txn, row)
        if path is None:
            return None
        key = path[-1][1]
        data = txn.get(key, db=self._dbs.tails)
        return None if data is None else self._environment.opened(key, data)

    def put(self, txn: Transaction, row: bytes, value: bytes) -> int:
        """By how much the rows outgrow the entries of `rows`: 1 for a new row, less 1 for a new link in `rows`."""
        grown = 0
        db, size, head, rest = self._dbs.rows, LIMIT, b"", row
        while len(rest) > size:
            key = head + rest[:size] + NODE
            link = txn.get(key, db=db)
            if link is None:
                number = self._take_number(txn)
                txn.put(key, sealed(key, number), db=db)
                if db is self._dbs.rows:
                    grown -= 1
            else:
                number = self._environment.opened(key, link)
            db, head, rest, size = self._dbs.tails, number, rest[size:], _PIECE
        key = head + rest
        data = sealed(key, value)
        if txn.put(key, data, overwrite=False, db=db):
            return grown + 1
        txn.put(key, data, db=db)
        return grown

    def delete(self, txn: Transaction, row: bytes) -> int:
        """By how much the rows outgrow the entries of `rows`, as for `put`."""
        path = self._path(txn, row)
        if path is None:
            return 0
        tails = self._dbs.tails
        if not txn.delete(path[-1][1], db=tails):
            return 0
        grown = -1
        # A link that nothing hangs on any more goes, and with it perhaps the one above.
        for depth in range(len(path) - 1, 0, -1):
            number = path[depth][1][:_NUMBER]
            cursor = txn.cursor(tails)
            if cursor.set_range(number) and cursor.key().startswith(number):
                break
            db, key = path[depth - 1]
            txn.delete(key, db=db)
            if db is self._dbs.rows:
                grown += 1
        return grown

    def clear(self, txn: Transaction, link_key: bytes, link: bytes) -> int:
        """Remove all that hangs on a link of `rows`, which the caller removes; how many rows that were."""
        removed = 0
        tails = self._dbs.tails
        numbers = [self._environment.opened(link_key, link)]
        while numbers:
            number = numbers.pop()
            cursor = txn.cursor(tails)
            found = cursor.set_range(number)
            while found and (key := cursor.key()).startswith(number):
                if len(key) == LINK_SIZE:
                    numbers.append(self._environment.opened(key, cursor.value()))
                else:
                    removed += 1
                # The cursor stands on the next row then.
                cursor.delete()
                found = bool(cursor.key())
        return removed

    def _path(self, txn: Transaction, row: bytes) -> list[tuple[Database, bytes]] | None:
        """The LMDB keys from the link in `rows` down to the row; None if a link is missing."""
        db, size, head, rest = self._dbs.rows, LIMIT, b"", row
        path = []
        while len(rest) > size:
            key = head + rest[:size] + NODE
            link = txn.get(key, db=db)
            if link is None:
                return None
            path.append((db, key))
            head = self._environment.opened(key, link)
            db, rest, size = self._dbs.tails, rest[size:], _PIECE
        path.append((db, head + rest))
        return path

    def _take_number(self, txn: Transaction) -> bytes:
        notes = self._dbs.notes
        kept = txn.get(_NEXT, db=notes)
        number = 1 if kept is None else int.from_bytes(self._environment.opened(_NEXT, kept), "big")
        txn.put(_NEXT, sealed(_NEXT, (number + 1).to_bytes(_NUMBER, "big")), db=notes)
        return number.to_bytes(_NUMBER, "big")


class _Level(NamedTuple):
    """Rows under one link. shared: what their keys begin with. skipped: bytes of the LMDB key that are no key."""

    entries: Iterator[tuple[bytes, bytes]]
    shared: bytes
    skipped: int
    size: int
    lo: Bound
    hi: Bound


def walk(
    environment: Environment, txn: Transaction, dbs: Databases, bounds: tuple[Bound, Bound], reverse: bool
) -> Iterator[tuple[bytes, bytes]]:
    """All rows with lo ≤ key < hi, in order."""
    levels = [_level(txn, dbs.rows, (b"", b""), bounds, reverse)]
    opened = environment.opened
    while levels:
        entries, shared, skipped, size, lo, hi = levels[-1]
        for key, data in entries:
            if len(key) < LINK_SIZE:
                yield (shared + key[skipped:] if skipped else key), opened(key, data)
                continue
            piece = key[skipped:-1]
            below = (
                lo[size:] if lo is not None and lo.startswith(piece) else None,
                hi[size:] if hi is not None and hi.startswith(piece) else None,
            )
            number = opened(key, data)
            levels.append(_level(txn, dbs.tails, (number, shared + piece), below, reverse))
            break
        else:
            levels.pop()


def _level(
    txn: Transaction, db: Database, under: tuple[bytes, bytes], bounds: tuple[Bound, Bound], reverse: bool
) -> _Level:
    number, shared = under
    lo, hi = bounds
    size = LIMIT - len(number)
    first = number + (b"" if lo is None else _cut(lo, size))
    # The link that hi hangs on is still in; what comes after it is not.
    inclusive = hi is not None and len(hi) > size
    last = (number + _cut(hi, size)) if hi is not None else after(number)
    make = _backward if reverse else _forward
    return _Level(make(txn, db, first, last, inclusive), shared, len(number), size, lo, hi)


def _cut(bound: bytes, size: int) -> bytes:
    return bound if len(bound) <= size else bound[:size] + NODE


def after(prefix: bytes) -> Bound:
    """The least key behind all that begin with `prefix`; None if there is none."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,)) if kept else None


def _forward(
    txn: Transaction, db: Database, first: bytes, last: Bound, inclusive: bool
) -> Iterator[tuple[bytes, bytes]]:
    cursor = txn.cursor(db)
    if not (cursor.set_range(first) if first else cursor.first()):
        return
    for entry in cursor.iternext():
        if last is not None and entry[0] >= last and not (inclusive and entry[0] == last):
            return
        yield entry


def _backward(
    txn: Transaction, db: Database, first: bytes, last: Bound, inclusive: bool
) -> Iterator[tuple[bytes, bytes]]:
    cursor = txn.cursor(db)
    if last is None or not last or not cursor.set_range(last):
        # An empty upper bound has nothing below it.
        if last == b"" or not cursor.last():
            return
    elif not (inclusive and cursor.key() == last) and not cursor.prev():
        return
    for entry in cursor.iterprev():
        if entry[0] < first:
            return
        yield entry
