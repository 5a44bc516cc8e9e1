"""What can go wrong with local state.

ServiceError
├── StateRefused      the directory cannot be used as it is; a person has to look
├── StateUnwritable   the disk is full, read-only or broken: nothing of the last write was kept
└── StateDamaged      rows are not what was written: the state has to be set aside and rebuilt from its changelogs
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

import lmdb

from app.errors import ExitCode, ServiceError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# What the system says of a disk, not LMDB of its pages. A write that was cut short is an EIO in LMDB.
_SYSTEM: Final = _FULL | {errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOMEM}

_DAMAGE: Final = (
    lmdb.CorruptedError,
    lmdb.CursorFullError,
    lmdb.InvalidError,
    lmdb.PageFullError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    lmdb.VersionMismatchError,
)


class StateRefused(ServiceError):
    code = ExitCode.CONFIG


class StateUnwritable(ServiceError):
    code = ExitCode.UNAVAILABLE


class StateDamaged(ServiceError):
    code = ExitCode.UNAVAILABLE


def fault_of(error: lmdb.Error, path: Path) -> Exception:
    """What an LMDB error on the environment in `path` means to us; the error itself if it is a mistake of ours."""
    if error.code in _SYSTEM or isinstance(error, lmdb.DiskError):
        return unwritable(path, error)
    if isinstance(error, _DAMAGE):
        return damaged(path, str(error))
    return error


def damaged(path: Path, what: str) -> StateDamaged:
    return StateDamaged(f"the state in {path} is damaged: {what}", try_next="it will be rebuilt from its changelogs")


def unwritable(path: Path, error: Exception) -> StateUnwritable:
    """Names the path, the bytes it holds and the bytes that are free around it."""
    data = path / "data.mdb"
    held = data.stat().st_size if data.exists() else 0
    disk = os.statvfs(path)
    return StateUnwritable(
        f"state cannot be written to {path}: {error}; it holds {held} bytes and the disk has "
        f"{disk.f_bavail * disk.f_frsize} free",
        try_next="nothing of the last write was kept; make room or set APP_STREAMS__STATE_DIR to another disk",
    )
