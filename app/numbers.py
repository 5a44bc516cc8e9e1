"""The numbers on the topic: `{"A": 2}` as JSON, one or more names with an int64 each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import msgspec

INT64_MAX = 2**63 - 1
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=INT64_MAX)]
_Shape = Annotated[dict[str, _Int64], msgspec.Meta(min_length=1)]
_decoder = msgspec.json.Decoder(_Shape)


class Unreadable(ValueError):
    """A value that holds no numbers. `reason` is one of a fixed few words, fit for a metric's label."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def encode(name: str, number: int) -> bytes:
    return b'{"%s": %d}' % (name.encode(), number)


def decode(value: bytes | None) -> Mapping[str, int]:
    """The numbers in a record's value; raises Unreadable."""
    if value is None:
        raise Unreadable("null", "the value is null")
    try:
        numbers = _decoder.decode(value)
    except msgspec.ValidationError as error:
        raise Unreadable("wrong_shape", f"not an object of 64-bit integers: {error}") from error
    except RecursionError as error:
        raise Unreadable("too_deep", "nested too deeply") from error
    except UnicodeDecodeError as error:
        raise Unreadable("not_utf8", f"not UTF-8: {error.reason} at byte {error.start}") from error
    except msgspec.DecodeError as error:
        raise Unreadable("not_json", f"not JSON: {error}") from error
    return numbers


def line(numbers: Mapping[str, int]) -> str:
    """One printable ASCII line, whatever the names contain."""
    return json.dumps(numbers)


class Received(Protocol):
    """A record as it came: bytes, never decoded by the client."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that C cannot read, and why."""

    record: Received
    cause: Unreadable
