"""`<state dir>/<application id>/<slot>`: one process each, and the identity it keeps there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from app.log import get_logger
from app.state.aside import ASIDE
from app.state.faults import StateRefused, unwritable
from app.state.folders import open_private
from app.state.metadata import METADATA_FILE
from app.state.records import RecordDamaged, read_record, write_record

log = get_logger(__name__)

_APPLICATION: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_INSTANCE_FILE: Final = "instance.json"


@dataclass(frozen=True, slots=True)
class Slot:
    """instance: the same in every life of the process that takes this slot; its transactional id is made of it."""

    path: Path
    instance: uuid.UUID

    def tasks(self) -> list[str]:
        """Those that left state here, to be judged when it is opened."""
        folders = [each.parent.name for each in self.path.glob(f"*/{METADATA_FILE}")]
        return sorted(name for name in folders if ASIDE not in name)


@contextlib.contextmanager
def take_slot(root: Path, application_id: str) -> Iterator[Slot]:
    """The first slot that no other process holds, for as long as the block lasts. `root` may be a link, nothing below.

    The lock is on the directory itself: a lock file could be deleted under its holder, and be made and locked anew.
    """
    if not _APPLICATION.fullmatch(application_id) or application_id in (".", ".."):
        raise StateRefused(
            f"the application id {application_id!r} cannot name a directory",
            try_next="APP_STREAMS__APPLICATION_ID takes letters, digits, '.', '_' and '-'",
        )
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateRefused(f"APP_STREAMS__STATE_DIR: no state can be kept in {root}: {error}") from error
    application = root.resolve() / application_id
    os.close(open_private(application))
    for number in count():
        path = application / str(number)
        lock = _try_lock(path)
        if lock is None:
            continue
        try:
            yield Slot(path, _instance(path, application_id))
        finally:
            os.close(lock)
        return


def _try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock; None: another process does."""
    while True:
        fd = open_private(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError as error:
            os.close(fd)
            raise StateRefused(f"{path} cannot be locked: {error}", try_next="a local disk is needed") from error
        if _is_still(path, fd):
            return fd
        # Somebody moved the directory away between its opening and its locking.
        os.close(fd)


def _is_still(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _instance(path: Path, application_id: str) -> uuid.UUID:
    """As it was kept here; a new one in a new slot, and in one that was copied or damaged: no two may have the same."""
    place = {"application_id": application_id, "slot": path.name}
    try:
        kept = read_record(path / _INSTANCE_FILE)
        if kept is not None:
            if {name: kept.get(name) for name in place} == place:
                return uuid.UUID(kept["instance"])
            raise RecordDamaged(f"it is of {kept.get('application_id')}, slot {kept.get('slot')}")
    except (RecordDamaged, OSError, ValueError) as error:
        log.warning("the instance id could not be kept: this process is a new instance", slot=str(path), why=str(error))
    instance = uuid.uuid4()
    try:
        write_record(path / _INSTANCE_FILE, {**place, "instance": str(instance)})
    except OSError as error:
        raise unwritable(path, error) from error
    return instance
