"""A question to a store, as it is written in an address: names and values are text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, get_args

from app.streams.queries.keys import KeyForm
from app.streams.queries.positions import Positions, read_bound
from app.streams.queries.refusals import InvalidQuestion

LARGEST_LIMIT: Final = 1000
LARGEST_LONG: Final = 2**63 - 1
_LIMIT: Final = 100


class Cursor(NamedTuple):
    """Where a page ended: behind this row of this partition; no row: before its first."""

    partition: int
    row: bytes | None = None

    def text(self) -> str:
        data = b"%d" % self.partition if self.row is None else b"%d:%b" % (self.partition, self.row)
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Cursor:
        try:
            partition, colon, row = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).partition(b":")
            if not partition.isdigit() or len(partition) > 9:
                raise ValueError("it has no partition")
            return cls(int(partition), row if colon else None)
        except (ValueError, binascii.Error) as cause:
            raise InvalidQuestion(f"{text[:80]!r} is no cursor of ours: {cause}") from cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """key: one key; without it, a page of all. lower, upper: both included; keys in a key-value store, times in ms in
    the others. everywhere: partitions of other instances too."""

    store: str
    key: str | None = None
    key_form: KeyForm = "text"
    lower: str | None = None
    upper: str | None = None
    prefix: str | None = None
    as_of: int | None = None
    partition: int | None = None
    limit: int = _LIMIT
    cursor: Cursor | None = None
    standby: bool = False
    everywhere: bool = False
    bound: Positions = field(default_factory=dict)

    def times(self) -> tuple[int, int]:
        """`lower` and `upper` as times. Raises InvalidQuestion."""
        lower = 0 if self.lower is None else _whole("from", self.lower)
        return max(lower, 0), LARGEST_LONG if self.upper is None else _whole("to", self.upper)


# Parameter → field of Question, by how its value is read.
_TEXTS = {"from": "lower", "to": "upper", "prefix": "prefix"}
_NUMBERS = {"as_of": "as_of", "partition": "partition", "limit": "limit"}
_SWITCHES = {"standby": "standby", "all": "everywhere"}
_NAMES = {*_TEXTS, *_NUMBERS, *_SWITCHES, "key_form", "cursor", "bound"}


def asked(store: str, key: str | None, parameters: Iterable[tuple[str, str]]) -> Question:
    """The question in an address. Raises InvalidQuestion, also for a parameter that is not known or comes twice."""
    fields: dict[str, Any] = {}
    for name, text in parameters:
        if name not in _NAMES:
            raise InvalidQuestion(f"there is no parameter {name!r}", f"known are {', '.join(sorted(_NAMES))}")
        target, value = _read(name, text)
        if target in fields:
            raise InvalidQuestion(f"parameter {name!r} comes twice")
        fields[target] = value
    question = Question(store=store, key=key, **fields)
    if not 1 <= question.limit <= LARGEST_LIMIT:
        raise InvalidQuestion(f"limit={question.limit}", f"a page has 1 to {LARGEST_LIMIT} rows")
    if key is not None and (question.everywhere or question.prefix is not None):
        raise InvalidQuestion("all and prefix are for a range of keys, and this asks for one")
    return question


def _read(name: str, text: str) -> tuple[str, Any]:
    if name in _TEXTS:
        return _TEXTS[name], text
    if name in _NUMBERS:
        return _NUMBERS[name], _whole(name, text)
    if name in _SWITCHES:
        return _SWITCHES[name], _switch(name, text)
    if name == "cursor":
        return name, Cursor.read(text)
    if name == "bound":
        return name, read_bound(text)
    if text not in get_args(KeyForm):
        raise InvalidQuestion(f"key_form={text}", f"known are {', '.join(get_args(KeyForm))}")
    return name, text


def _whole(name: str, text: str) -> int:
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 19:
        raise InvalidQuestion(f"{name}={text[:80]}", "a whole number is wanted; times are milliseconds since 1970")
    return max(min(int(text), LARGEST_LONG), -1)


def _switch(name: str, text: str) -> bool:
    if text not in ("true", "false", ""):
        raise InvalidQuestion(f"{name}={text[:80]}", "true or false is wanted")
    return text != "false"
