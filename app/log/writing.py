"""Writes lines from a thread of its own: a log that nobody reads must not stop the event loop."""

import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

_MOST_LINES = 10_000


class Writer:
    """A bounded queue before a stream. What does not fit is dropped, counted, and told with the next line that does."""

    def __init__(self, stream: TextIO, tell_loss: Callable[[int], str], most_lines: int = _MOST_LINES) -> None:
        self._stream = stream
        self._tell_loss = tell_loss
        self._most_lines = most_lines
        self._lines: deque[str] = deque()
        self._lost = 0
        self._writing = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        with self._changed:
            if len(self._lines) >= self._most_lines:
                self._lost += 1
            else:
                self._lines.append(line)
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written. False: the stream did not take it in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._writing, timeout_s)

    def close(self, timeout_s: float) -> None:
        self.flush(timeout_s)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                chunk = [*self._lines, *([self._tell_loss(self._lost)] if self._lost else [])]
                self._lines.clear()
                self._lost = 0
                self._writing = True
            try:
                self._stream.write("\n".join(chunk) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # Closed by its reader. The service goes on; there is no other place to say so.
                continue
