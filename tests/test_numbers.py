"""What counts as numbers, and what is said of everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.numbers import Unreadable, decode, encode, line

READABLE = {
    b'{"A": 2}': '{"A": 2}',
    b'{"A":8}': '{"A": 8}',
    b' {"B":3}\n': '{"B": 3}',
    b'{"A":1,"B":-2}': '{"A": 1, "B": -2}',
    b'{"A":9223372036854775807}': '{"A": 9223372036854775807}',
    b'{"A":-9223372036854775808}': '{"A": -9223372036854775808}',
    b'{"A":2,"A":4}': '{"A": 4}',
    '{"ключ":1}'.encode(): '{"\\u043a\\u043b\\u044e\\u0447": 1}',
    b'{"a\\u001b[31m\\n":1}': '{"a\\u001b[31m\\n": 1}',
}

UNREADABLE = {
    None: "null",
    b"": "not_json",
    b"x": "not_json",
    b"\xff": "not_json",
    b"\xef\xbb\xbf" + b'{"A":1}': "not_json",
    b'{"A":1}{"A":1}': "not_json",
    b'{"A":01}': "not_json",
    b'{"A":NaN}': "not_json",
    b'{"A":Infinity}': "not_json",
    b"{'A':1}": "not_json",
    b'{"A\xff":1}': "not_utf8",
    b'{"\xed\xa0\x80":1}': "not_utf8",
    b"null": "wrong_shape",
    b"5": "wrong_shape",
    b"[1]": "wrong_shape",
    b"{}": "wrong_shape",
    b'{"A":null}': "wrong_shape",
    b'{"A":true}': "wrong_shape",
    b'{"A":1.0}': "wrong_shape",
    b'{"A":1e2}': "wrong_shape",
    b'{"A":1e400}': "wrong_shape",
    b'{"A":"1"}': "wrong_shape",
    b'{"A":[1]}': "wrong_shape",
    b'{"A":{"B":1}}': "wrong_shape",
    b'{"A":1,"B":"x"}': "wrong_shape",
    b'{"A":9223372036854775808}': "wrong_shape",
    b'{"A":-9223372036854775809}': "wrong_shape",
    b'{"A":18446744073709551616}': "wrong_shape",
    b'{"A":' + b"9" * 5_000 + b"}": "wrong_shape",
    b"[" * 100_000: "wrong_shape",
    b'{"A":' * 100_000: "wrong_shape",
}


@pytest.mark.parametrize(("value", "shown"), READABLE.items())
def test_readable(value: bytes, shown: str) -> None:
    assert line(decode(value)) == shown


@pytest.mark.parametrize(("value", "reason"), UNREADABLE.items(), ids=lambda item: repr(item)[:30])
def test_unreadable(value: bytes | None, reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        decode(value)
    assert raised.value.reason == reason
    assert len(str(raised.value)) < 200


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    try:
        numbers = decode(value)
    except Unreadable:
        return
    assert json.loads(line(numbers)) == numbers


@given(st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_what_is_shown_is_one_printable_line(numbers: dict[str, int]) -> None:
    shown = line(numbers)
    assert shown.isprintable()
    assert shown.isascii()
    assert json.loads(shown) == numbers


@given(st.integers(-(2**63), 2**63 - 1))
def test_encode_is_what_any_json_reader_reads(number: int) -> None:
    assert json.loads(encode("A", number)) == {"A": number}
    assert decode(encode("A", number)) == {"A": number}
