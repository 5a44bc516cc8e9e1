"""Memory that a stall took is given back."""

import ctypes
import os
import subprocess
import sys

import pytest

from app.memory import GROWN_BYTES, KEPT_BYTES

GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")

CHILD = """
import asyncio, sys
from app import memory

memory.LOOK_EVERY = 0.1
memory.settle()

def stall(rows):
    fetched = []
    for _ in range(200):
        fetched.append(b"x" * (1 << 20))
        rows.append(b"x" * 600)  # a row that outlives the batch it came with

async def main():
    before, rows = memory._own_bytes(), []
    giving = asyncio.create_task(memory.give_back())
    await asyncio.sleep(0)
    stall(rows)
    await asyncio.sleep(1)
    print(memory._own_bytes() - before)
    if giving.done():
        giving.result()
    giving.cancel()

asyncio.run(main())
"""


def left(**environ: str) -> int:
    """Bytes that a process holds on to of the 200 MiB it had."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, env=os.environ | environ
    )
    return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason="another C library than glibc has other rules")
def test_holes_between_rows_are_given_back() -> None:
    assert left() < GROWN_BYTES + KEPT_BYTES
    # What the environment says holds: blocks like these lie between the rows, and nobody gives them back.
    assert left(MALLOC_MMAP_THRESHOLD_="16777216", MALLOC_TRIM_THRESHOLD_="33554432") > 150 * 1024 * 1024
