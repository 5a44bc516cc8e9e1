"""Standard output, which belongs to consumer C alone."""

import os
from collections.abc import Sequence

from app.threads import abandonable

STANDARD_OUTPUT = 1


class OutputClosed(Exception):
    """Nobody reads standard output any more (`python -m app | head`): a wish to end, not a fault."""


class Output:
    """Writes lines from a thread, so that a reader who pauses holds up C but neither the event loop nor the end."""

    def __init__(self, descriptor: int = STANDARD_OUTPUT) -> None:
        self._descriptor = descriptor

    async def show(self, lines: Sequence[str]) -> None:
        """Returns when the lines are on the reader's side. Raises OutputClosed. One call at a time keeps the order."""
        data = "".join(f"{line}\n" for line in lines).encode()
        await abandonable(lambda: self._write(data))

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError as error:
            raise OutputClosed from error
