"""How this process treats its memory: both collectors, Python's and the C library's, as a service needs them."""

from __future__ import annotations

import ctypes
import gc
import os

SHORT_GC = (4_000, 20, 1_000)
"""Looking for cycles holds the loop for as long as there are new objects to look at: some thousands take a few ms. What
was there before, modules and settings above all, is not looked at again."""

LARGE_BYTES = 256 * 1024
"""From this size on a block of memory goes back to the system when it is freed. By default glibc raises the bound to
the largest block that was ever freed, so that fetched batches lie between small objects: after each stall of the broker
some hundred of them are left as holes, and a process of 100 MB becomes one of 500."""
KEPT_BYTES = 16 * 1024 * 1024
"""Free memory at the end of the heap that is kept: to give it back and ask for it again would cost page faults."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def settle() -> bool:
    """Once all modules are loaded. Whether the C library could be told: glibc can, musl and macOS have no such trouble.
    Where MALLOC_… is set in the environment, that holds."""
    gc.freeze()
    gc.set_threshold(*SHORT_GC)
    return _bound_heap()


def _bound_heap() -> bool:
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES))
