"""State that cannot be trusted is kept, out of the way, for whoever wants to know why."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.log import get_logger
from app.state.faults import unwritable

log = get_logger(__name__)

# No name of a task holds it.
ASIDE: Final = ".aside-"


def set_aside(folder: Path, why: str, now_ms: int) -> Path:
    """Move it to `<folder>.aside-<time>` and say so. An earlier one goes: a machine that fails at night must not fill
    its disk with evidence."""
    at = datetime.fromtimestamp(now_ms / 1000, tz=UTC).strftime("%Y%m%dT%H%M%S")
    target = folder.with_name(f"{folder.name}{ASIDE}{at}")
    try:
        for earlier in folder.parent.glob(f"{folder.name}{ASIDE}*"):
            shutil.rmtree(earlier)
        folder.rename(target)
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    log.warning("local state was moved aside and is rebuilt", state=str(folder), to=str(target), why=why)
    return target
