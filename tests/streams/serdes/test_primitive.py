"""Java's built-in serdes and what is made of them, byte for byte."""

import uuid as uuid_module
from typing import Any

import pytest

from app.streams.model import Windowed
from app.streams.serdes import Serde, float64, int32, int64, listing, raw, session_windowed, utf8, uuid, windowed

LARGEST_LONG = 2**63 - 1
SOME_UUID = uuid_module.UUID("01234567-89ab-cdef-0123-456789abcdef")

CASES: list[tuple[Serde[Any], Any, str]] = [
    (utf8, "", ""),
    (utf8, "aß€😀", "61c39fe282acf09f9880"),
    (raw, b"\x00\xff", "00ff"),
    (int32, -2, "fffffffe"),
    (int64, 1, "0000000000000001"),
    (int64, -(2**63), "8000000000000000"),
    (float64, 1.5, "3ff8000000000000"),
    (float64, -0.0, "8000000000000000"),
    (uuid, SOME_UUID, b"01234567-89ab-cdef-0123-456789abcdef".hex()),
    (windowed(utf8, 10), Windowed("k", 0, 10), "6b0000000000000000"),
    (windowed(utf8), Windowed("k", 5, LARGEST_LONG), "6b0000000000000005"),
    (windowed(utf8, 10), Windowed("k", LARGEST_LONG - 3, LARGEST_LONG), "6b7ffffffffffffffc"),
    (session_windowed(utf8), Windowed("k", 3, 7), "6b00000000000000070000000000000003"),
    (listing(utf8), [], "0100000000"),
    (listing(utf8), ["A", None, ""], "0100000003" + "0000000141" + "ffffffff" + "00000000"),
    (listing(int32), [7, None, 8], "00" + "00000001" + "00000001" + "00000003" + "00000007" + "00000008"),
    (listing(uuid), [SOME_UUID], "00" + "00000000" + "00000001" + str(SOME_UUID).encode().hex()),
]


@pytest.mark.parametrize(("serde", "value", "expected"), CASES, ids=lambda each: repr(each)[:40])
def test_bytes_there_and_back(serde: Serde[Any], value: Any, expected: str) -> None:
    assert serde.serializer("t")(value).hex() == expected
    assert serde.deserializer("t")(bytes.fromhex(expected)) == value


@pytest.mark.parametrize(
    ("serde", "data"),
    [
        (int32, b"\x00"),
        (int64, b"\x00" * 7),
        (int64, b"\x00" * 9),
        (float64, b""),
        (uuid, b"not-a-uuid"),
        (listing(utf8), b"\x01\x00\x00\x00\x01\x00\x00\x00\x05ab"),
        (listing(utf8), b"\x02\x00\x00\x00\x00"),
        (listing(utf8), b"\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        (listing(int32), b"\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00"),
    ],
    ids=repr,
)
def test_what_is_no_value_is_refused(serde: Serde[Any], data: bytes) -> None:
    with pytest.raises(Exception, match=r"."):
        serde.deserializer("t")(data)


@pytest.mark.parametrize(
    ("serde", "value"), [(utf8, 1), (utf8, None), (raw, "text"), (raw, 5), (int32, 2**31), (int64, 2**63), (int64, 1.5)]
)
def test_values_of_another_type_or_size_are_refused(serde: Serde[Any], value: Any) -> None:
    with pytest.raises(Exception, match=r"."):
        serde.serializer("t")(value)


def test_malformed_text_is_read_as_java_reads_it() -> None:
    assert utf8.deserializer("t")(b"a\xffb\xe2\x82") == "a�b�"


def test_the_hot_functions_are_the_builtin_ones() -> None:
    assert utf8.serializer("t") is str.encode
    value = b"same"
    assert raw.deserializer("t")(value) is value
