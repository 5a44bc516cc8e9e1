"""How far the first download is: a bar on a terminal, two lines otherwise."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

WIDTH = 30
MEGABYTE = 1_000_000


def bar(done: int, total: int) -> str:
    """Bytes that have arrived, of how many, as a line without its end."""
    filled = min(WIDTH, WIDTH * done // max(total, 1))
    return f"  [{'#' * filled}{'.' * (WIDTH - filled)}] {done / MEGABYTE:5.1f} of {total / MEGABYTE:.1f} MB"


class Progress:
    """Counts bytes from several threads."""

    def __init__(self, what: str, say: Callable[[str], None], stream: TextIO) -> None:
        self._what = what
        self._say = say
        self._stream = stream
        self._lock = threading.Lock()
        self._total = self._done = 0
        self._drawn_at = 0.0

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        self._total, self._done = total, 0
        began = time.monotonic()
        self._say(f"fetching {self._what}, {total / MEGABYTE:.1f} MB, this once")
        try:
            yield
        finally:
            self._end()
        self._say(f"fetched {self._done / MEGABYTE:.1f} MB in {time.monotonic() - began:.1f} s")

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            if self._stream.isatty() and time.monotonic() - self._drawn_at > 0.1:
                self._drawn_at = time.monotonic()
                self._stream.write("\r" + bar(self._done, self._total))
                self._stream.flush()

    def _end(self) -> None:
        if self._stream.isatty():
            self._stream.write("\r\033[K")
            self._stream.flush()
