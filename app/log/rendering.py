"""Turns an event, ours or a library's, into one line of text: pretty for a person, JSON for a machine."""

import json
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from structlog.processors import format_exc_info
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from app.log.visible import visible

_LONGEST_EXCEPTION = 64 * 1024  # characters
_DEEPEST = 4  # of nested values
_STARS = "**********"
_FIRST = ("ts", "level", "event", "logger")

Renderer = Callable[[Mapping[str, Any]], str]


def formatter(render: Renderer, secrets: Collection[str] = ()) -> logging.Formatter:
    """The one path that every record takes to text. `secrets` never appear in it."""
    cleaner = _Cleaner(secrets)

    def line(_: WrappedLogger, __: str, event: EventDict) -> str:
        return render(cleaner.clean_event(event))

    return ProcessorFormatter(processors=[_describe, format_exc_info, ProcessorFormatter.remove_processors_meta, line])


def _describe(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["ts"] = record.created
    event["level"] = record.levelname.lower()
    event["logger"] = record.name
    left_out = getattr(record, "left_out", 0)
    if left_out:
        event["left_out"] = left_out
    if _shows_credentials(record, event):
        event["event"] = "a login request or response (its content is not logged)"
    return event


def _shows_credentials(record: logging.LogRecord, event: EventDict) -> bool:
    # At DEBUG aiokafka writes out every request, the one with the password too.
    return record.name.startswith("aiokafka") and "sasl_auth_bytes" in str(event["event"])


class _Cleaner:
    def __init__(self, secrets: Collection[str]) -> None:
        # The longest first: one secret may be part of another. Under four characters a replacement would garble
        # whole lines and hide nothing.
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True)

    def clean_event(self, event: EventDict) -> dict[str, Any]:
        exception = event.pop("exception", None)
        ordered = {name: event.pop(name) for name in _FIRST}
        clean = {visible(name): self.clean(value) for name, value in (ordered | dict(event)).items()}
        if exception is not None:
            clean["exception"] = self.clean_lines(str(exception))
        return clean

    def clean(self, value: object, depth: int = 0) -> object:
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)  # JSON knows no nan
            case str():
                return visible(self.without_secrets(value))
            case Mapping() if depth < _DEEPEST:
                return {visible(self.without_secrets(str(k))): self.clean(v, depth + 1) for k, v in value.items()}
            case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
                return [self.clean(each, depth + 1) for each in value]
            case BaseException():
                return visible(self.without_secrets(str(value) or type(value).__name__))
            case _:
                return visible(self.without_secrets(str(value)))

    def clean_lines(self, text: str) -> str:
        lines = self.without_secrets(text).split("\n")
        shown = "\n".join(visible(line) for line in lines)
        # The end of a traceback tells more than its beginning.
        return shown if len(shown) <= _LONGEST_EXCEPTION else "…" + shown[-_LONGEST_EXCEPTION:]

    def without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _STARS)
        return text


def as_json(event: Mapping[str, Any]) -> str:
    ts = datetime.fromtimestamp(event["ts"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({**event, "ts": ts}, ensure_ascii=False)


_COLOURS = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def as_pretty(event: Mapping[str, Any], *, colours: bool) -> str:
    """`12:00:00.000 INFO     what happened  name=value  [logger]`, in local time."""

    def coloured(colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if colours else text

    level = str(event["level"])
    pairs = "".join(
        "  " + coloured(_DIM, f"{name}=") + _shown(value)
        for name, value in event.items()
        if name not in _FIRST and name != "exception"
    )
    line = (
        f"{coloured(_DIM, _clock(event['ts']))} {coloured(_COLOURS.get(level, ''), f'{level.upper():<8}')} "
        f"{event['event']}{pairs}  {coloured(_DIM, '[' + str(event['logger']) + ']')}"
    )
    # Indented, so that nothing inside an exception's text can look like a line of its own.
    return line + "".join(f"\n    | {row}" for row in event.get("exception", "").splitlines())


def _clock(ts: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(ts))}.{int(ts % 1 * 1000):03d}"


def _shown(value: object) -> str:
    if isinstance(value, str) and value and not any(sign in value for sign in ' ="'):
        return value
    return json.dumps(value, ensure_ascii=False)
