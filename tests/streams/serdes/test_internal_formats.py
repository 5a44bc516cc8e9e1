"""The formats of internal topics, byte for byte: changes, foreign-key messages, buffered records, offset metadata."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams.hashing import murmur3_128
from app.streams.serdes import int32, utf8
from app.streams.serdes.buffered import Buffered, Origin, read_buffered, read_changelog, write_buffered
from app.streams.serdes.changed import changed, read_varint, split_change, write_varint
from app.streams.serdes.foreign_key import (
    Response,
    Subscription,
    combined_key,
    combined_prefix,
    response,
    split_combined,
    subscription,
)
from app.streams.serdes.join_side import read_key, read_value, write_key, write_value
from app.streams.serdes.listing import read_list, write_variable
from app.streams.serdes.offset_metadata import NOTHING, OffsetMetadata, decode, encode

ORIGIN = Origin(6, 1, "in", 0, ())


@pytest.mark.parametrize(
    ("change", "expected"),
    [(("a", None, True), "6101"), ((None, "a", True), "6100"), (("b", "b", True), "02626202")],
)
def test_a_change_as_java_writes_it(change: tuple[Any, Any, bool], expected: str) -> None:
    assert changed(utf8).serializer("t")(change).hex() == expected
    assert changed(utf8).deserializer("t")(bytes.fromhex(expected)) == change


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("610003", (None, b"a", False)),
        ("610104", (b"a", None, True)),
        ("0261620005", (b"a", b"b", False)),
        ("0261620105", (b"a", b"b", True)),
        ("00620105", (b"", b"b", True)),
    ],
)
def test_changes_with_a_latest_byte_are_read(data: str, expected: tuple[bytes | None, bytes | None, bool]) -> None:
    assert split_change(bytes.fromhex(data)) == expected


@pytest.mark.parametrize("data", ["6106", "610204", "61ff"])
def test_other_flags_are_refused(data: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        split_change(bytes.fromhex(data))


def test_a_change_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="without an old or a new"):
        changed(utf8).serializer("t")((None, None, True))


@given(st.integers(0, 2**31 - 1))
def test_varints(value: int) -> None:
    data = write_varint(value)
    assert read_varint(data + b"rest") == (value, len(data))


@given(st.one_of(st.none(), st.text()), st.text())
def test_changes_come_back(new: str | None, old: str) -> None:
    for change in ((new, old, True), (old, None, True)):
        assert changed(utf8).deserializer("t")(changed(utf8).serializer("t")(change)) == change


def test_a_subscription_as_java_writes_it() -> None:
    serde = subscription(utf8, "app-x-pk")
    wrapped = Subscription(murmur3_128(b"1x"), 3, "k", 0)
    data = "0103" + "3e264a69e1cccf595797d04b45ba7dd3" + "6b" + "00000000"
    assert serde.serializer("t")(wrapped).hex() == data
    assert serde.deserializer("t")(bytes.fromhex(data)) == wrapped
    deleted = Subscription(None, 1, "k", 0)
    assert serde.serializer("t")(deleted).hex() == "81016b00000000"
    assert serde.deserializer("t")(bytes.fromhex("81016b00000000")) == deleted


def test_a_subscription_of_version_0_has_no_partition() -> None:
    serde = subscription(utf8, "pk")
    old = Subscription(None, 2, "key", None, 0)
    assert serde.serializer("t")(old).hex() == "8002" + b"key".hex()
    assert serde.deserializer("t")(bytes.fromhex("8002" + b"key".hex())) == old
    with pytest.raises(ValueError, match="needs the partition"):
        serde.serializer("t")(Subscription(None, 2, "key", None))
    with pytest.raises(ValueError, match="no instruction"):
        serde.deserializer("t")(bytes.fromhex("81046b00000000"))


def test_the_key_of_a_subscription_is_told_its_pseudo_topic() -> None:
    asked: list[str] = []

    class Spy:
        def serializer(self, topic: str) -> Any:
            asked.append(topic)
            return utf8.serializer(topic)

        def deserializer(self, topic: str) -> Any:
            asked.append(topic)
            return utf8.deserializer(topic)

    serde = subscription(Spy(), "app-reg-pk")
    serde.serializer("real")
    serde.deserializer("real")
    assert asked == ["app-reg-pk", "app-reg-pk"]


def test_a_response_as_java_writes_it() -> None:
    serde = response(utf8)
    hashed = murmur3_128(b"1x")
    for wrapped, data in (
        (Response(hashed, "v"), "00" + hashed.hex() + "76"),
        (Response(hashed, None), "00" + hashed.hex()),
        (Response(None, "v"), "8076"),
        (Response(None, None), "80"),
    ):
        assert serde.serializer("t")(wrapped).hex() == data
        assert serde.deserializer("t")(bytes.fromhex(data)) == wrapped
    with pytest.raises(ValueError, match="too few"):
        serde.deserializer("t")(b"\x00\x01")


def test_combined_keys() -> None:
    assert combined_key(b"fk", b"pk").hex() == "00000002" + b"fkpk".hex()
    assert combined_key(b"fk", b"pk").startswith(combined_prefix(b"fk"))
    assert split_combined(combined_key(b"fk", b"pk")) == (b"fk", b"pk")


def test_rows_of_an_outer_join() -> None:
    assert write_key(5, True, b"k").hex() == "0000000000000005016b"
    assert read_key(write_key(5, False, b"k")) == (5, False, b"k")
    one = write_variable([write_value(True, b"A")])
    two = write_variable([write_value(True, b"A"), write_value(True, b"B")])
    assert one.hex() == "0100000001000000020141"
    assert two.hex() == "0100000002000000020141000000020142"
    assert [read_value(each or b"") for each in read_list(two)] == [(True, b"A"), (True, b"B")]
    with pytest.raises(ValueError, match="no side"):
        read_value(b"\x02x")


SUPPRESSED = (
    "0000000000000006 0000000000000001 00000002 696e 00000000 00000000 ffffffff 00000001 61 00000002 6162 "
    "000000000000000a"
).replace(" ", "")


def test_a_suppressed_row_as_java_writes_it() -> None:
    buffered = Buffered(None, b"a", b"ab", ORIGIN)
    assert write_buffered(buffered, 10).hex() == SUPPRESSED
    assert read_buffered(bytes.fromhex(SUPPRESSED)) == (buffered, 10)


def test_a_waiting_stream_record_as_java_writes_it() -> None:
    data = write_buffered(Buffered(None, None, b"s1", Origin(12, 0, "s", 0, ())), 0).hex()
    assert data.endswith("0000000173" + "00000000" * 2 + "ffffffff" * 2 + "00000002" + "7331" + "00" * 8)


def test_an_old_value_equal_to_the_prior_one_is_written_once() -> None:
    same = Buffered(b"p", b"p", b"n", ORIGIN)
    data = write_buffered(same, 1)
    assert b"\xff\xff\xff\xfe" in data
    assert read_buffered(data) == (same, 1)
    assert same.size() == 20 + len("in") + 1 + 1
    assert Buffered(b"p", b"o", b"n", ORIGIN).size() == same.size() + 1


NULLABLE = st.none() | st.binary(max_size=5)
ORIGINS = st.builds(
    Origin,
    st.integers(-1, 2**62),
    st.integers(0, 2**62),
    st.text(max_size=5),
    st.integers(0, 100),
    st.lists(st.tuples(st.text(max_size=3), NULLABLE), max_size=3).map(tuple),
)
BUFFERED = st.builds(Buffered, NULLABLE, NULLABLE, NULLABLE, ORIGINS)


@given(BUFFERED, st.integers(0, 2**62))
def test_buffered_rows_come_back(buffered: Buffered, time: int) -> None:
    assert read_buffered(write_buffered(buffered, time)) == (buffered, time)


def _nullable(value: bytes | None) -> bytes:
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


def _legacy(buffered: Buffered) -> bytes:
    return _nullable(buffered.old) + _nullable(buffered.new)


def _context(buffered: Buffered) -> bytes:
    """All of layout 3 before the prior value."""
    empty = Buffered(None, None, None, buffered.origin)
    return write_buffered(empty, 0)[: -(3 * 4 + 8)]


@given(BUFFERED, st.integers(0, 2**62), NULLABLE)
def test_older_layouts_are_read(buffered: Buffered, time: int, known: bytes | None) -> None:
    stamp = struct.pack(">q", time)
    prior = buffered.old if known is None else known
    change = _legacy(buffered)
    layout_0 = stamp + change
    assert read_changelog(layout_0, {}, known, ORIGIN) == (buffered._replace(prior=prior, origin=ORIGIN), time)
    layout_1 = stamp + _context(buffered) + _nullable(change)
    assert read_changelog(layout_1, {"v": b"\x01"}, known, ORIGIN) == (buffered._replace(prior=prior), time)
    layout_2 = _context(buffered) + _nullable(change) + _nullable(buffered.prior) + stamp
    assert read_changelog(layout_2, {"v": b"\x02"}, known, ORIGIN) == (buffered, time)
    assert read_changelog(write_buffered(buffered, time), {"v": b"\x03"}, known, ORIGIN) == (buffered, time)


def test_layout_3_under_the_number_2_is_read() -> None:
    buffered = Buffered(None, b"a", b"ab", ORIGIN)
    assert read_changelog(bytes.fromhex(SUPPRESSED), {"v": b"\x02"}, None, ORIGIN) == (buffered, 10)


def test_unknown_layouts_are_refused() -> None:
    with pytest.raises(ValueError, match="no layout"):
        read_changelog(b"", {"v": b"\x09"}, None, ORIGIN)


@pytest.mark.parametrize(
    ("text", "time", "processor"),
    [
        ("AgAAAYvP5WgA", 1700000000000, {}),
        ("AgAAAYvP5WgAAAAAAQAAAAVzdG9yZQAAAAAAAAAq", 1700000000000, {"store": 42}),
        ("Av//////////", -1, {}),
    ],
)
def test_offset_metadata_as_java_writes_it(text: str, time: int, processor: dict[str, int]) -> None:
    assert encode(time, processor) == text
    assert decode(text) == OffsetMetadata(time, processor)


def test_other_offset_metadata() -> None:
    assert decode("") == NOTHING
    assert decode("AQAAAYvP5WgA") == OffsetMetadata(1700000000000, {})
    for garbage in ("!!", "AwAAAYvP5WgA", "Ag==", "AgAAAYvP5WgAAAAAAQ==", "plain words"):
        assert decode(garbage) is None


@given(st.integers(-1, 2**62), st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1), max_size=4))
def test_offset_metadata_comes_back(time: int, processor: dict[str, int]) -> None:
    assert decode(encode(time, processor)) == OffsetMetadata(time, processor)


def test_a_change_of_fixed_width_values() -> None:
    assert changed(int32).serializer("t")((1, 2, True)).hex() == "08" + "00000001" + "00000002" + "02"
