"""JSON over msgspec: dataclasses, Structs or plain values; no NaN, no infinity, no integer above 64 bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import GenericAlias
from typing import Annotated, Any, Final, Generic, TypeVar, overload

import msgspec
from msgspec import inspect as msgspec_inspect

from app.streams.serdes.serde import Serde

T = TypeVar("T")

# Plain JSON values up to this depth are checked while they are parsed; deeper ones are walked through afterwards.
# The type below doubles with each level.
CHECKED_DEPTH: Final = 8

_LEAVES = (
    msgspec_inspect.StrType,
    msgspec_inspect.BoolType,
    msgspec_inspect.FloatType,
    msgspec_inspect.NoneType,
    msgspec_inspect.LiteralType,
)
_Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


def _any_json() -> Any:
    """The type of a JSON value whose integers fit a Java long; msgspec checks it while it parses, at no cost."""
    leaf: Any = _Long | float | str | bool | None
    value = leaf
    for _ in range(CHECKED_DEPTH):
        value = leaf | GenericAlias(list, (value,)) | GenericAlias(dict, (str, value))
    return value


_ANY: Final = _any_json()
# For its refusal of integers beyond 64 bits; a walk in Python would cost twice as much. Its bytes only tell whether a
# float is among them.
_fits_64_bits: Final = msgspec.msgpack.Encoder().encode
_FLOAT: Final = 0xCB


class _Json(Generic[T]):
    __slots__ = ("_bounded", "_decode", "_encode", "_type")

    def __init__(self, type_: Any) -> None:
        self._type = type_
        plain = type_ is Any or type_ in (dict, list)
        self._decode: Callable[[bytes], T] = _plain_decoder(type_) if plain else msgspec.json.Decoder(type_).decode
        self._encode = msgspec.json.Encoder().encode
        self._bounded = plain or not _may_hold_numbers(type_)

    def serializer(self, topic: str) -> Callable[[T], bytes]:
        encode = self._encode

        def serialize(value: T) -> bytes:
            data = encode(value)
            # msgspec writes NaN and infinity as null. Only where a null stands can there have been one, and only beside
            # a float: to look for one byte first is a tenth of the search for four.
            if _FLOAT in _fits_64_bits(value) and data.find(b"null") >= 0:
                _refuse_nan(value)
            return data

        return serialize

    def deserializer(self, topic: str) -> Callable[[bytes], T]:
        decode = self._decode
        if self._bounded:
            return decode

        def deserialize(data: bytes) -> T:
            value = decode(data)
            _fits_64_bits(value)
            return value

        return deserialize

    def __repr__(self) -> str:
        return f"json({getattr(self._type, '__name__', self._type)})"


@overload
def json() -> Serde[Any]: ...
@overload
def json(type: type[T]) -> Serde[T]: ...
def json(type: Any = Any) -> Serde[Any]:
    """Values of `type` (a dataclass, a Struct, a TypedDict, `dict`, any type msgspec knows) as JSON.

    Raises msgspec.ValidationError for bytes that are no such value, OverflowError for integers beyond 64 bits,
    ValueError for NaN and infinity.
    """
    return _Json(type)


def _plain_decoder(type_: Any) -> Callable[[bytes], Any]:
    fast, any_depth = msgspec.json.Decoder(_plain_type(type_)).decode, msgspec.json.Decoder(type_).decode

    def decode(data: bytes) -> Any:
        try:
            return fast(data)
        except msgspec.ValidationError as cause:
            value = any_depth(data)
            if not _fits_longs(value):
                raise msgspec.ValidationError("an integer does not fit 64 bits") from cause
            # Nothing was wrong with it but its depth.
            return value

    return decode


def _fits_longs(value: Any) -> bool:
    """Without recursion: msgspec itself limits how deep a value may be."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, int) and not -(2**63) <= found < 2**63:
            return False
    return True


def _plain_type(type_: Any) -> Any:
    if type_ is dict:
        return GenericAlias(dict, (str, _ANY))
    return GenericAlias(list, (_ANY,)) if type_ is list else _ANY


def _may_hold_numbers(type_: Any) -> bool:
    """Whether a value of the type can hold an integer that msgspec does not bound itself."""
    return _unbounded(msgspec_inspect.type_info(type_), set())


def _unbounded(info: msgspec_inspect.Type, seen: set[Any]) -> bool:
    if isinstance(info, _LEAVES):
        return False
    if isinstance(info, msgspec_inspect.IntType):
        return info.ge is None or info.le is None
    if isinstance(info, msgspec_inspect.UnionType):
        return any(_unbounded(each, seen) for each in info.types)
    if isinstance(info, msgspec_inspect.StructType | msgspec_inspect.DataclassType):
        if info.cls in seen:
            return False
        seen.add(info.cls)
        return any(_unbounded(field.type, seen) for field in info.fields)
    return True


def _refuse_nan(value: object) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no JSON form")
    elif isinstance(value, dict):
        for each in value.values():
            _refuse_nan(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _refuse_nan(each)
    else:
        for name in _field_names(value):
            _refuse_nan(getattr(value, name, None))


def _field_names(value: object) -> tuple[str, ...]:
    fields: tuple[str, ...] | dict[str, object] = getattr(value, "__struct_fields__", ())
    return tuple(fields or getattr(value, "__dataclass_fields__", ()))
