"""The folder of a long run: kept when something went wrong. And its end, which comes by Ctrl-C and SIGTERM alike."""

from __future__ import annotations

import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INTERRUPTED: Final = 130
"""Exit status."""


@dataclass
class Evidence:
    folder: Path
    kept: bool


@contextmanager
def evidence(chosen: Path | None = None) -> Iterator[Evidence]:
    """Removed in the end unless it was chosen, somebody set `kept`, or an exception came; to be interrupted is none."""
    found = Evidence(chosen or Path(tempfile.mkdtemp(prefix="numbers-")), kept=chosen is not None)
    try:
        yield found
    except KeyboardInterrupt:
        raise
    except BaseException:
        found.kept = True
        raise
    finally:
        if found.kept:
            print(f"logs and state are in {found.folder}", flush=True)
        else:
            shutil.rmtree(found.folder)


def end_as_by_ctrl_c() -> None:
    """By SIGTERM too: what was started here is ended first. Also where a shell began us in its background, which has
    SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def peak_memory_mb() -> int:
    """Of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
