"""The end of an application's local state, where no process works with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.errors import TryAgain
from app.state.faults import unwritable


@dataclass(frozen=True, slots=True)
class LocalState:
    """`<state dir>/<application id>` on this machine. bytes: on disk, of all files."""

    path: Path
    slots: int
    held: tuple[Path, ...]
    """Slots that a process works with."""
    bytes: int


def local_state(root: Path, application_id: str) -> LocalState | None:
    """None: there is none."""
    path = root / application_id
    if not path.is_dir():
        return None
    slots = _slots(path)
    with contextlib.ExitStack() as stack:
        held = tuple(slot for slot in slots if not _lock(slot, stack))
    size = sum(each.lstat().st_blocks * 512 for each in path.rglob("*") if each.is_file())
    return LocalState(path, len(slots), held, size)


def clear(state: LocalState) -> None:
    """Raises TryAgain where a slot is held, and then has deleted nothing; StateUnwritable."""
    slots = _slots(state.path)
    with contextlib.ExitStack() as stack:
        held = [slot for slot in slots if not _lock(slot, stack)]
        if held:
            raise TryAgain(f"a process works with the state in {held[0]}", try_next="end it first")
        try:
            for slot in slots:
                shutil.rmtree(slot)
        except OSError as error:
            raise unwritable(state.path, error) from error
    # A process that starts at this moment has a slot there already.
    with contextlib.suppress(OSError):
        state.path.rmdir()


def _slots(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.is_symlink())


def _lock(slot: Path, stack: contextlib.ExitStack) -> bool:
    """As long as the stack lasts, unless another process holds it."""
    descriptor = os.open(slot, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
