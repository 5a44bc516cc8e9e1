"""How this process treats its memory: both collectors, Python's and the C library's, as a service needs them."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from collections.abc import Callable

SHORT_GC = (4_000, 20, 1_000)
"""Looking for cycles holds the loop for as long as there are new objects to look at: some thousands take a few ms. What
was there before, modules and settings above all, is not looked at again."""

LARGE_BYTES = 16 * 1024 * 1024
"""From this size on a block of memory is the system's when it is freed. What is fetched and sent is smaller: to ask for
that memory anew each time would cost a tenth of all that a record costs, for page faults."""
KEPT_BYTES = 32 * 1024 * 1024
"""Free memory at the end of the heap that is kept."""
GROWN_BYTES = 32 * 1024 * 1024
"""Fetched batches lie between small objects that outlive them, so after each stall of the broker there are holes, and a
process of 100 MB becomes one of 500. When so much has come to the heap, what is free in it goes back."""
LOOK_EVERY = 5.0
"""Seconds between two looks at how much there is."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def settle() -> None:
    """Once all modules are loaded. Where MALLOC_… is set in the environment, that holds."""
    gc.freeze()
    gc.set_threshold(*SHORT_GC)
    if (library := _glibc()) is not None:
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


async def give_back() -> None:
    """Until it is cancelled; with glibc only: musl and macOS have no such trouble."""
    if (library := _glibc()) is None:
        return
    trim: Callable[[int], int] = library.malloc_trim
    least = _own_bytes()
    while True:
        await asyncio.sleep(LOOK_EVERY)
        least = min(least, now := _own_bytes())
        if now - least > GROWN_BYTES:
            await asyncio.to_thread(trim, 0)
            least = _own_bytes()


def _glibc() -> ctypes.CDLL | None:
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


def _own_bytes() -> int:
    """Resident, without what is mapped from files."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        _, resident, shared, *_ = map(int, statm.read().split())
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
