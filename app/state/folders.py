"""Directories that are this user's alone: 0700, no symbolic links."""

from __future__ import annotations

import os
from pathlib import Path

from app.state.faults import StateRefused


def open_private(path: Path) -> int:
    """A descriptor of the directory, which is made if there is none. Whoever owns it must be us: what others can write
    is not read as state."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        why = "it is a symbolic link" if path.is_symlink() else str(error)
        raise StateRefused(
            f"no state can be kept in {path}: {why}", try_next="make room there or set APP_STREAMS__STATE_DIR"
        ) from error
    found = os.fstat(fd)
    if found.st_uid != os.geteuid():
        os.close(fd)
        raise StateRefused(
            f"no state can be kept in {path}: it belongs to user {found.st_uid}, and this is user {os.geteuid()}",
            try_next="run as its owner, or set APP_STREAMS__STATE_DIR to another directory",
        )
    if found.st_mode & 0o077:
        os.fchmod(fd, 0o700)
    return fd


def prepare_private(path: Path) -> None:
    os.close(open_private(path))
