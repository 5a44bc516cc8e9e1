"""Which start of this machine it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

_LINUX: Final = Path("/proc/sys/kernel/random/boot_id")
_TIMEOUT_S: Final = 5.0


def boot_id() -> str:
    """Another one after every power-off; containers of one machine share it. Empty where nothing tells: then no state
    that was not closed is trusted."""
    if sys.platform == "darwin":
        return _ask("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")
    try:
        return _LINUX.read_text().strip()
    except OSError:
        return ""


def _ask(*command: str) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
