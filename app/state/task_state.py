"""The stores of one task on disk: opened if they can be trusted, else moved aside and begun anew.

<slot>/<task>/metadata.json   whose it is, and how it was left
<slot>/<task>/data.mdb        one LMDB environment, a database per store
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.log import get_logger
from app.state.aside import set_aside
from app.state.boot import boot_id
from app.state.environment import DATA_FILE, MAP_BYTES, Environment, Transaction, sealed
from app.state.faults import StateDamaged, unwritable
from app.state.folders import prepare_private
from app.state.inspection import FileDamaged, checksum, read_heads
from app.state.lmdb_base import BaseStatistics, Layout, LmdbBase
from app.state.long_keys import Databases
from app.state.metadata import FORMAT, Expected, Metadata, read_metadata
from app.state.pages import check_pages
from app.state.records import RecordDamaged
from app.streams.stores.opening import key_layout
from app.streams.stores.specs import StoreSpec

log = get_logger(__name__)

_TAILS: Final = b"tails"
_NOTES: Final = b"notes"
_COMMIT: Final = b"commit"
# A commit from the future says that a clock was wrong, and not by how much.
_SKEW_MS: Final = 5 * 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """digest_bytes: up to here a closed file is read whole, at its end and at its opening (1 GB: about 0.5 s each).
    check_bytes: up to here a file that was not closed is checked page by page and row by row (64 MB: under 0.5 s)."""

    digest_bytes: int = 1 << 30
    check_bytes: int = 64 << 20
    map_bytes: int = MAP_BYTES


class TaskState:
    """One process, one thread at a time, one life. aside: where older state went, if this one is new for it."""

    def __init__(
        self, folder: Path, environment: Environment, metadata: Metadata, limits: Limits, clock_ms: Callable[[], int]
    ) -> None:
        self.path = folder
        self.aside: Path | None = None
        self._environment = environment
        self._metadata = metadata
        self._limits = limits
        self._clock_ms = clock_ms
        self._tails = environment.database(_TAILS)
        self._notes = environment.database(_NOTES)
        self._bases: dict[str, LmdbBase] = {}

    def base(self, spec: StoreSpec) -> LmdbBase:
        """The committed rows of a store: what `Task` takes as `bases`."""
        found = self._bases.get(spec.name)
        if found is None:
            dbs = Databases(self._environment.database(b"s" + spec.name.encode()), self._tails, self._notes)
            found = LmdbBase(self._environment, dbs, spec.name, Layout(*key_layout(spec)), self._stamp)
            self._bases[spec.name] = found
        return found

    def gather(self) -> None:
        """From now on what is applied to its stores becomes one transaction, seen at once and durable with `settle`:
        many rows that fall on few pages are written with them. For restoring; a scan then sees what is applied."""
        self._environment.gather()

    def settle(self) -> None:
        """Commit what was gathered. After StateUnwritable nothing of it is there."""
        self._environment.settle()

    def statistics(self) -> dict[str, BaseStatistics]:
        """Of the stores that were asked for."""
        return {name: base.statistics() for name, base in self._bases.items()}

    def used_bytes(self) -> int:
        """Of the file."""
        return self._environment.used_bytes()

    def committed_ms(self) -> int | None:
        """When the last commit was applied; None: never."""
        data = self._environment.snapshot().txn.get(_COMMIT, db=self._notes)
        return None if data is None else int.from_bytes(self._environment.opened(_COMMIT, data), "big")

    def check_age(self, delete_retention_ms: int | None) -> None:
        """FileDamaged if it may have missed deletions that its changelogs have forgotten."""
        committed = self.committed_ms()
        if committed is None or delete_retention_ms is None:
            return
        now = self._clock_ms()
        last = max(committed, self._metadata.closed_ms)
        if last > now + _SKEW_MS:
            raise FileDamaged(f"its last commit is {last - now} ms in the future: a clock was wrong")
        if now - last > delete_retention_ms:
            raise FileDamaged(
                f"its last commit is {now - last} ms ago, and changelogs keep deletions for {delete_retention_ms} ms"
            )

    def condemn(self, why: str) -> None:
        """It was found damaged in use: the next opening moves it aside, even if this process is killed first."""
        self._metadata = replace(self._metadata, damaged=why)
        self._keep(self._metadata)

    def close(self) -> None:
        """Everything is on the disk, and the metadata can prove it."""
        try:
            self._environment.settle()
            self._environment.sync()
        finally:
            self._environment.close()
        data = self.path / DATA_FILE
        size = data.stat().st_size
        crc = checksum(data) if size <= self._limits.digest_bytes else None
        self._keep(replace(self._metadata, clean=True, closed_ms=self._clock_ms(), size=size, crc=crc))

    def abandon(self) -> None:
        """Let go of it as a crash would."""
        self._environment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, StateDamaged):
            self.condemn(error.what)
            self.abandon()
        else:
            self.close()

    def _stamp(self, txn: Transaction) -> None:
        txn.put(_COMMIT, sealed(_COMMIT, self._clock_ms().to_bytes(8, "big")), db=self._notes)

    def _keep(self, metadata: Metadata) -> None:
        try:
            metadata.keep(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error


def open_task_state(
    slot: Path, expected: Expected, clock_ms: Callable[[], int], limits: Limits | None = None
) -> TaskState:
    """The state a task left in this slot, or an empty one; what cannot be trusted is moved aside, with a line that says
    why. clock_ms: wall clock, in ms since the epoch. Reads the file: not for the event loop.

    StateRefused, StateUnwritable: neither is possible.
    """
    limits = limits or Limits()
    folder = slot / expected.task
    prepare_private(folder)
    aside = None
    try:
        found = _judge(folder, expected, limits)
        state = _open(folder, expected, found, limits, clock_ms)
        try:
            state.check_age(expected.delete_retention_ms)
        except BaseException:
            state.abandon()
            raise
    except (RecordDamaged, FileDamaged, StateDamaged) as doubt:
        aside = set_aside(folder, str(doubt), clock_ms())
        prepare_private(folder)
        state = _open(folder, expected, None, limits, clock_ms)
    state.aside = aside
    return state


def _open(
    folder: Path, expected: Expected, found: Metadata | None, limits: Limits, clock_ms: Callable[[], int]
) -> TaskState:
    data = folder / DATA_FILE
    metadata = Metadata(
        FORMAT,
        expected.application_id,
        expected.task,
        expected.subtopology,
        dict(expected.changelogs),
        boot_id(),
        transaction=0 if found is None else read_heads(data).transaction,
        closed_ms=-1 if found is None else found.closed_ms,
    )
    try:
        # First of all: from here on the old metadata are no longer true.
        metadata.keep(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    environment = Environment(folder, databases=len(expected.stores) + 2, map_bytes=limits.map_bytes)
    return TaskState(folder, environment, metadata, limits, clock_ms)


def _judge(folder: Path, expected: Expected, limits: Limits) -> Metadata | None:
    """The metadata if the file can be opened, None for a new folder."""
    data = folder / DATA_FILE
    try:
        metadata = read_metadata(folder)
        mode = data.lstat().st_mode
    except FileNotFoundError:
        if metadata is None and not any(folder.iterdir()):
            return None
        raise FileDamaged(f"{DATA_FILE} is gone" if metadata else "neither metadata nor data are there") from None
    except OSError as error:
        raise FileDamaged(f"it cannot be read: {error}") from error
    if metadata is None:
        raise FileDamaged("its metadata are gone")
    if not stat.S_ISREG(mode):
        raise FileDamaged(f"{DATA_FILE} is no regular file")
    if (other := metadata.differs_from(expected)) is not None:
        raise FileDamaged(other)
    if metadata.damaged is not None:
        raise FileDamaged(metadata.damaged)
    if metadata.clean:
        _check_closed(data, metadata)
    else:
        _check_killed(data, metadata, limits)
    return metadata


def _check_closed(data: Path, metadata: Metadata) -> None:
    size = data.stat().st_size
    if size != metadata.size:
        raise FileDamaged(f"{DATA_FILE} has {size} bytes, {metadata.size} when it was closed")
    if metadata.crc is None:
        log.info("local state is too large to be read whole at its opening", state=str(data.parent), bytes=size)
    elif checksum(data) != metadata.crc:
        raise FileDamaged(f"{DATA_FILE} is not what it was when it was closed: its checksum differs")
    read_heads(data)


def _check_killed(data: Path, metadata: Metadata, limits: Limits) -> None:
    boot = boot_id()
    if not boot or metadata.boot != boot:
        raise FileDamaged("the machine stopped while it was in use, and commits are not synced one by one")
    heads = read_heads(data)
    size = data.stat().st_size
    # The last pages may be free ones that were never written; LMDB maps the file without a look at its end.
    cut_off = heads.pages * heads.page_size > size
    if cut_off or size <= limits.check_bytes or heads.transaction <= metadata.transaction:
        check_pages(data)
        return
    log.info("local state was left by a kill and is too large to be checked whole", state=str(data.parent), bytes=size)
