"""Memory that a stall took is given back."""

import ctypes
import os
import subprocess
import sys

import pytest

from app.memory import KEPT_BYTES

GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")

CHILD = """
import sys
from app.memory import settle

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

if sys.argv[1] == "settled":
    assert settle()
del (largest := [bytes(8 << 20)])[:]  # what glibc takes for its measure of what is large, once it was freed
before = resident()
fetched, kept = [], []
for _ in range(200):
    fetched.append(b"x" * (1 << 20))
    kept.append(b"x" * 600)  # a row that outlives the batch it came with
fetched.clear()
print(resident() - before)
"""


def left(*arguments: str, **environ: str) -> int:
    """Bytes that a process holds on to of the 200 MiB it had."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=True, env=os.environ | environ
    )
    return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason="another C library than glibc has other rules")
def test_freed_batches_leave_no_holes() -> None:
    assert left("settled") < 2 * KEPT_BYTES
    assert left("as it was") > 4 * KEPT_BYTES


def test_what_the_environment_says_holds() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from app.memory import settle; print(settle())"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MALLOC_ARENA_MAX": "2"},
    )
    assert done.stdout == "False\n"
