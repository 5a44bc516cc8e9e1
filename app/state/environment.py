"""One LMDB environment: who reads it, who writes it, how it grows.

There is no fsync per commit: a commit is in the page cache when it returns, so it outlives the process (kill -9) and
not the machine (power-off, kernel crash). After those the boot id tells, and the state is rebuilt (`inspection.py`).
The memory map is read-only, so a stray pointer of this process cannot reach the data, and a full disk is an error of a
write and no SIGBUS.

One thread at a time uses an environment: LMDB binds a write to its thread, and nothing here is locked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, TypeAlias
from weakref import WeakSet
from zlib import crc32

import lmdb

from app.state.faults import damaged, fault_of, unwritable

Transaction: TypeAlias = "lmdb.Transaction[bytes]"
Database: TypeAlias = "lmdb._Database"  # noqa: SLF001  # the type of what open_db gives has no public name

DATA_FILE: Final = "data.mdb"
LOCK_FILE: Final = "lock.mdb"
# Address space, not memory and not disk: the file grows with the data. Growing the map itself ends open scans.
MAP_BYTES: Final = 1 << 34
# A live scan of an older state holds one slot.
_MAX_READERS: Final = 2048
# The older file format, of which LMDB 0.9 is the engine: twice as fast at gets as 1.0 where it was measured.
_ENGINE: Final = 0
# What crc32 gives over any bytes that are followed by their own little-endian crc32.
RESIDUE: Final = 0x2144DF1C


def sealed(key: bytes, value: bytes) -> bytes:
    """The value as it is stored: a checksum over key and value behind it, as LMDB has none of its own."""
    return value + crc32(value, crc32(key)).to_bytes(4, "little")


class Snapshot:
    """One committed state, readable for as long as somebody holds it."""

    __slots__ = ("__weakref__", "ended", "txn")

    def __init__(self, txn: Transaction) -> None:
        self.txn = txn
        # The map moved: what read here must go on in a newer snapshot.
        self.ended = False


class Gathered(Protocol):
    """One write of several that become one transaction."""

    def forget(self) -> None:
        """Nothing of it was kept."""
        ...

    def repeat(self, txn: Transaction) -> None: ...


class Environment:
    """path: a directory that nobody else opens. databases: how many named ones there may be."""

    def __init__(self, path: Path, *, databases: int, map_bytes: int = MAP_BYTES) -> None:
        self.path = path
        # It lists the readers of a process that is no more, and LMDB would follow a link.
        (path / LOCK_FILE).unlink(missing_ok=True)
        try:
            self._lmdb = lmdb.open(
                str(path),
                map_size=map_bytes,
                metasync=False,
                sync=False,
                mode=0o600,
                readahead=False,
                max_readers=_MAX_READERS,
                max_dbs=databases,
                max_spare_txns=2,
                lib_version=_ENGINE,
            )
        except lmdb.Error as error:
            raise fault_of(error, path) from error
        self._snapshots: WeakSet[Snapshot] = WeakSet()
        self._writing = False
        self._together = False
        self._open: Snapshot | None = None
        self._gathered: list[Gathered] = []
        self.latest: Snapshot | None = None

    def database(self, name: bytes) -> Database:
        # A snapshot does not know what was opened after it.
        self.latest = self._open
        with self._faults():
            return self._lmdb.open_db(name, txn=None if self._open is None else self._open.txn)

    def snapshot(self) -> Snapshot:
        """What is committed now. All who ask between two commits share one."""
        found = self.latest
        if found is None:
            with self._faults():
                found = Snapshot(self._lmdb.begin())
            self.latest = found
            self._snapshots.add(found)
        return found

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction: all of it at the end of the block, nothing after an exception; while writes are gathered,
        at `settle`. MapFullError is the caller's to answer, with `grow` and a second try."""
        if self._writing:
            raise RuntimeError(f"a write to {self.path} is under way: it has to end before the next one begins")
        self._writing = True
        try:
            with self._faults():
                if self._together:
                    yield self._gathering()
                else:
                    with self._lmdb.begin(write=True) as txn:
                        yield txn
        except lmdb.MapFullError:
            self._scatter()
            raise
        except BaseException:
            self._forget()
            raise
        finally:
            self._writing = False
        # Scans that began before go on in their snapshot; what is read from now on sees the commit.
        self.latest = self._open

    def gather(self) -> None:
        """From now on writes become one transaction, which `settle` ends. Reads see them at once."""
        self._together = True

    def gathered(self, write: Gathered) -> None:
        """One that ended well."""
        if self._together:
            self._gathered.append(write)

    def settle(self) -> None:
        """What was gathered is committed, and gathering ends."""
        while self._together and self._gathered:
            try:
                with self._faults():
                    txn = self._gathering()
                    if self._open is not None:
                        self._open.ended = True
                    self._open = self.latest = None
                    txn.commit()
            except lmdb.MapFullError:
                self._scatter()
                self.grow()
                continue
            except BaseException:
                self._together = False
                self._forget()
                raise
            self._gathered.clear()
        self._scatter()
        self._together = False

    def _gathering(self) -> Transaction:
        """The open transaction; a new one begins with what was gathered before."""
        if self._open is None:
            for each in self._gathered:
                each.forget()
            txn = self._lmdb.begin(write=True)
            self._open = self.latest = Snapshot(txn)
            for each in self._gathered:
                each.repeat(txn)
        return self._open.txn

    def _scatter(self) -> None:
        """Give up the open transaction. What was gathered can be repeated."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.ended = True
            opened.txn.abort()
            self.latest = None

    def _forget(self) -> None:
        self._scatter()
        for each in self._gathered:
            each.forget()
        self._gathered.clear()

    def grow(self) -> None:
        """Twice the map."""
        size = self._lmdb.info()["map_size"] * 2
        for each in list(self._snapshots):
            each.ended = True
            each.txn.abort()
        self.latest = None
        try:
            self._lmdb.set_mapsize(size)
        except (lmdb.Error, MemoryError, OverflowError) as error:
            raise unwritable(self.path, error) from error

    def used_bytes(self) -> int:
        """Of the file: pages in use, and free ones inside it."""
        return (self._lmdb.info()["last_pgno"] + 1) * self._lmdb.stat()["psize"]

    def sync(self) -> None:
        """Everything committed is on the disk when this returns."""
        with self._faults():
            self._lmdb.sync(True)

    def close(self) -> None:
        self._forget()
        for each in list(self._snapshots):
            each.ended = True
            each.txn.abort()
        self.latest = None
        self._lmdb.close()

    def opened(self, key: bytes, data: bytes) -> bytes:
        """The value that was `sealed`."""
        if crc32(data, crc32(key)) != RESIDUE:
            raise damaged(self.path, f"the row {key[:64].hex()} fails its checksum")
        return data[:-4]

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except lmdb.MapFullError:
            raise
        except lmdb.Error as error:
            raise fault_of(error, self.path) from error
