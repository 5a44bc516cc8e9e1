"""Logs on standard error: pretty on a terminal, JSON lines otherwise; ours and the libraries' take the same path.

Write with `log = get_logger(__name__)` and `log.info("what happened", topic=…, offset=…)`: a constant sentence, and the
facts as names and values. A value from outside is safe here, whatever it holds.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Collection
from copy import copy
from functools import partial
from typing import TextIO

import structlog
from structlog.stdlib import BoundLogger

from app.log.rendering import as_json, as_pretty, formatter
from app.log.thinning import Thinning, grade, is_library
from app.log.writing import Writer
from app.settings.model import LogSettings

__all__ = ["BoundLogger", "configure", "flush", "get_logger"]

_FLUSH_S = 2.0

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=BoundLogger,
    cache_logger_on_first_use=True,
)


def get_logger(name: str) -> BoundLogger:
    logger: BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure(
    options: LogSettings,
    stream: TextIO | None = None,
    *,
    secrets: Collection[str] = (),
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send every record of this process to `stream` (standard error). May be called again: the last call counts.

    `secrets` are starred wherever they turn up. `clock` gives seconds, for the thinning of repeated lines.
    """
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    if options.format == "json" or (options.format == "auto" and not terminal):
        render = as_json
    else:
        render = partial(as_pretty, colours=terminal and not os.environ.get("NO_COLOR"))
    level = logging.getLevelNamesMapping()[options.level]
    handler = _Handler(level, stream, formatter(render, secrets), clock)

    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    # A record that we grade up must reach us first.
    logging.getLogger("aiokafka").setLevel(min(level, logging.INFO))
    logging.captureWarnings(True)


def flush(timeout_s: float = _FLUSH_S) -> None:
    """Wait until what was logged is written. For ends that leave the interpreter's own clean-up out."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Handler):
            handler.writer.flush(timeout_s)


class _Handler(logging.Handler):
    def __init__(
        self, threshold: int, stream: TextIO, formatter: logging.Formatter, clock: Callable[[], float]
    ) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.writer = Writer(stream, self._loss)
        self._threshold = threshold  # not `level`: records are graded first
        self._clock = clock
        self._thinning = Thinning()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for line in self._lines(record):
                self.writer.write(line)
        except Exception as error:  # noqa: BLE001 - a record that cannot be formatted must not end whoever wrote it
            # Not logging's own report: it would go past the writer, and past all that makes a line safe.
            why = f"{type(error).__name__} in {record.msg!r}"
            self.writer.write(self._own_line(record.name, logging.ERROR, "a log line could not be made: %s", (why,)))

    def _lines(self, record: logging.LogRecord) -> list[str]:
        now = self._clock()
        lines: list[str] = []
        if is_library(record.name):
            given = record.levelno
            record = _graded(record)
            if record.levelno < self._threshold:
                return []
            # Their own DEBUG lines are wanted whole by whoever asks for them.
            if given > logging.DEBUG:
                left_out = self._thinning.admit((record.name, str(record.msg)), now)
                if left_out is None:
                    return []
                record.left_out = left_out
        lines += [self._silence(*silence) for silence in self._thinning.expired(now)]
        return [*lines, self.format(record)]

    def _silence(self, key: tuple[str, str], left_out: int) -> str:
        return self._own_line(
            key[0], max(logging.INFO, self._threshold), "%d more lines like this were left out: %s", (left_out, key[1])
        )

    def _loss(self, lost: int) -> str:
        return self._own_line(__name__, logging.WARNING, "%d log lines were lost: nobody read them in time", (lost,))

    def _own_line(self, name: str, level: int, template: str, arguments: tuple[object, ...]) -> str:
        return self.format(logging.LogRecord(name, level, "", 0, template, arguments, None))

    def close(self) -> None:
        self.writer.close(_FLUSH_S)
        super().close()


def _graded(record: logging.LogRecord) -> logging.LogRecord:
    level = grade(record.name, str(record.msg), record.levelno)
    graded = copy(record)  # other handlers see the record as it was written
    graded.levelno, graded.levelname = level, logging.getLevelName(level)
    return graded
