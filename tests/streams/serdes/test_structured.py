"""JSON: typed and plain values, and what never comes in or goes out."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams.serdes import json
from app.streams.serdes.structured import CHECKED_DEPTH


@dataclass
class Order:
    id: int
    price: float
    lines: list[str]


class Click(msgspec.Struct):
    user: str
    page: str | None = None
    weight: float = 1.0


class Tree(msgspec.Struct):
    size: int
    children: list["Tree"] = []


def test_dataclasses_structs_and_plain_values() -> None:
    order = Order(7, 9.5, ["a"])
    data = json(Order).serializer("t")(order)
    assert data == b'{"id":7,"price":9.5,"lines":["a"]}'
    assert json(Order).deserializer("t")(data) == order
    assert json(Click).deserializer("t")(b'{"user":"u"}') == Click("u")
    assert json().deserializer("t")(b'{"a":[1,2.5,null,true,{"b":"c"}]}') == {"a": [1, 2.5, None, True, {"b": "c"}]}
    assert json(dict).deserializer("t")(b'{"a":1}') == {"a": 1}


def test_a_type_is_checked() -> None:
    with pytest.raises(msgspec.ValidationError):
        json(Order).deserializer("t")(b'{"id":"7","price":1.0,"lines":[]}')
    with pytest.raises(msgspec.ValidationError):
        json(dict).deserializer("t")(b"[]")


def test_types_without_free_integers_are_decoded_by_msgspec_itself() -> None:
    assert type(json(Click).deserializer("t")).__name__ == "builtin_function_or_method"


@pytest.mark.parametrize("text", [b"NaN", b'{"a":NaN}', b"[Infinity]", b"-Infinity", b"[1e400]"])
def test_no_nan_comes_in(text: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        json().deserializer("t")(text)


@pytest.mark.parametrize("type_", [Any, dict, Tree])
def test_no_integer_beyond_64_bits_comes_in(type_: Any) -> None:
    read = json(type_).deserializer("t")
    assert read(b'{"size":9223372036854775807}') is not None
    with pytest.raises((msgspec.ValidationError, OverflowError)):
        read(b'{"size":18446744073709551616}')


def test_nor_deep_inside() -> None:
    with pytest.raises(msgspec.ValidationError):
        json().deserializer("t")(b'{"a":[{"b":[18446744073709551616]}]}')
    with pytest.raises(OverflowError):
        json(Tree).deserializer("t")(b'{"size":1,"children":[{"size":18446744073709551616}]}')


@pytest.mark.parametrize("depth", [CHECKED_DEPTH, CHECKED_DEPTH + 1, 100])
def test_depth_does_not_matter(depth: int) -> None:
    read = json().deserializer("t")
    nested = b"[" * depth + b"%d" + b"]" * depth
    value = read(nested % 2**62)
    for _ in range(depth):
        (value,) = value
    assert value == 2**62
    with pytest.raises(msgspec.ValidationError):
        read(nested % 2**63)


def test_no_depth_ends_the_interpreter() -> None:
    with pytest.raises(RecursionError):
        json().deserializer("t")(b"[" * 1_000_000 + b"]" * 1_000_000)


@pytest.mark.parametrize(
    "value", [float("nan"), {"a": [float("inf")]}, Order(1, float("nan"), []), Click("u", None, float("-inf"))]
)
def test_no_nan_goes_out(value: Any) -> None:
    with pytest.raises(ValueError, match="no JSON form"):
        json().serializer("t")(value)


def test_a_true_null_goes_out() -> None:
    assert json().serializer("t")({"a": None, "b": "null"}) == b'{"a":null,"b":"null"}'


def test_no_integer_beyond_64_bits_goes_out() -> None:
    with pytest.raises(OverflowError):
        json().serializer("t")({"n": 2**64})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_plain_values_come_back(value: Any) -> None:
    assert json().deserializer("t")(json().serializer("t")(value)) == value
