"""Standard output, which belongs to consumer C alone."""

import asyncio
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self


class OutputClosed(Exception):
    """Nobody reads standard output any more (`python -m app | head`): a wish to end, not a fault."""


class Output:
    """Writes lines from a thread of its own, so that a reader who pauses holds up C but not the event loop."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stdout.fileno() if descriptor is None else descriptor
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="output")
        self.blocked = False
        """Whether a write is waiting for the reader. Nothing can end it but the reader, or the end of the process."""

    async def show(self, lines: Sequence[str]) -> None:
        """Returns when the lines are with the reader's side of the pipe. Raises OutputClosed."""
        data = "".join(f"{line}\n" for line in lines).encode()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        self.blocked = True
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError as error:
            raise OutputClosed from error
        finally:
            self.blocked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
