"""Records that C must not stumble over."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Poison:
    name: str
    value: bytes | None
    reason: str
    key: bytes | None = b"k"
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int | None = None


POISONS = (
    Poison("null", None, "null"),
    Poison("null without a key", None, "null", key=None),
    Poison("empty", b"", "not_json"),
    Poison("text", b"hello", "not_json"),
    Poison("cut short", b'{"A": ', "not_json"),
    Poison("two objects", b'{"A":1}{"A":2}', "not_json"),
    Poison("byte order mark", b'\xef\xbb\xbf{"A":1}', "not_json"),
    Poison("utf-16", '{"A":1}'.encode("utf-16"), "not_json"),
    Poison("binary", bytes(range(256)), "not_json"),
    Poison("bad utf-8 in a name", b'{"A\xff":1}', "not_utf8"),
    Poison("surrogate in utf-8", b'{"\xed\xa0\x80":1}', "not_utf8"),
    Poison("lone surrogate escape", b'{"\\ud800":1}', "not_json"),
    Poison("nan", b'{"A":NaN}', "not_json"),
    Poison("infinity", b'{"A":-Infinity}', "not_json"),
    Poison("json null", b"null", "wrong_shape"),
    Poison("number", b"2", "wrong_shape"),
    Poison("string", b'"A"', "wrong_shape"),
    Poison("array", b'[{"A":2}]', "wrong_shape"),
    Poison("no members", b"{}", "wrong_shape"),
    Poison("bool", b'{"A":true}', "wrong_shape"),
    Poison("float", b'{"A":1.5}', "wrong_shape"),
    Poison("whole float", b'{"A":2.0}', "wrong_shape"),
    Poison("exponent", b'{"A":1e3}', "wrong_shape"),
    Poison("beyond int64", b'{"A":9223372036854775808}', "wrong_shape"),
    Poison("beyond uint64", b'{"A":18446744073709551616}', "wrong_shape"),
    Poison("5,000 digits", b'{"A":' + b"7" * 5_000 + b"}", "wrong_shape"),
    Poison("second member wrong", b'{"A":1,"B":"x"}', "wrong_shape"),
    Poison("nested", b'{"A":{"B":1}}', "wrong_shape"),
    Poison("arrays 100,000 deep", b"[" * 100_000, "wrong_shape"),
    Poison("objects 100,000 deep", b'{"A":' * 100_000, "wrong_shape"),
    Poison("as large as the topic takes", b"x" * 1_048_000, "not_json"),
    Poison("5,000 headers", b"x", "not_json", headers=tuple((f"h{n}", b"v" * 10) for n in range(5_000))),
    Poison("odd headers", b"x", "not_json", headers=(("", b""), ("null", None), ("twice", b"1"), ("twice", b"2"))),
    Poison("large key", b"x", "not_json", key=b"k" * 500_000),
    Poison("at the epoch", b"x", "not_json", timestamp=0),
    Poison("terminal escapes", b"\x1b[2J\x1b]0;owned\x07", "not_json"),
)
