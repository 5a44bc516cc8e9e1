"""JSON values of the format: which serde reads them, and how they look as text (FORMAT §4, §6)."""

from __future__ import annotations

from typing import Any

from app.streams.model import Windowed
from app.streams.serdes import Serde, float64, int64, raw, session_windowed, utf8, windowed
from app.streams.stores.specs import LARGEST_LONG
from tests.conformance.numbers import Integer, IntegerSerde

PLAIN: dict[str, Serde[Any]] = {
    "string": utf8,
    "long": int64,
    "integer": IntegerSerde(),
    "double": float64,
    "bytes": raw,
}


class UnknownName(Exception):
    """The scenario uses a word that this interpreter does not know."""


def serde(name: str | None) -> Serde[Any] | None:
    """A serde by its name in the format; None stays None."""
    if name is None or name in PLAIN:
        return None if name is None else PLAIN[name]
    kind, _, rest = name.partition(":")
    if kind == "session_windowed":
        return session_windowed(_known(rest))
    if kind == "time_windowed":
        inner, _, size = rest.rpartition(":")
        return windowed(_known(inner), int(size))
    raise UnknownName(f"serde {name}")


def _known(name: str) -> Serde[Any]:
    found = serde(name)
    if found is None:
        raise UnknownName("serde without a name")
    return found


def from_json(name: str, value: Any) -> Any:
    """The value a serde of that name takes."""
    if value is None:
        return None
    if name == "bytes":
        return bytes.fromhex(value)
    if name == "double":
        return float(value)
    if name == "integer":
        return Integer(value)
    kind, _, rest = name.partition(":")
    if kind in ("time_windowed", "session_windowed"):
        inner = rest.rpartition(":")[0] if kind == "time_windowed" else rest
        return Windowed(from_json(inner, value["key"]), value["start"], value["end"])
    return value


def from_word(serde_of: Serde[Any], word: str) -> Any:
    """A word of a store command, as the type of the store."""
    if isinstance(serde_of, IntegerSerde):
        return Integer(word)
    if serde_of is int64:
        return int(word)
    return float(word) if serde_of is float64 else word


def to_json(value: Any) -> Any:
    """A key or value as the format writes it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Windowed):
        return {"key": to_json(value.key), "start": value.start, "end": value.end}
    return value


def text(value: Any) -> str:
    """str(x) of the format: Java's."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, Windowed):
        return f"{text(value.key)}@{value.start}-{min(value.end, LARGEST_LONG)}"
    return str(value)


def java_double(value: float) -> str:
    """Double.toString: plain from 0.001 to 10⁷, else with an exponent; the shortest digits either way."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if str(value).startswith("-") else ""
    digits, exponent = _shortest(abs(value))
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return sign + _plain(digits, exponent)
    mantissa = digits[0] + "." + (digits[1:] or "0")
    return f"{sign}{mantissa}E{exponent}"


def _shortest(value: float) -> tuple[str, int]:
    """Significant digits, and the exponent of the first of them."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    shift = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0"))) - 1
    return digits.rstrip("0") or "0", shift + int(exponent or 0) if digits else 0


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{whole}.{digits[exponent + 1 :] or '0'}"
