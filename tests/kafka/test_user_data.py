"""What members send one another: the same after the journey, and nothing else gets through."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kafka.user_data import (
    LARGEST,
    VERSION,
    Assignment,
    PeerData,
    Subscription,
    Unreadable,
    encode,
    read_assignment,
    read_subscription,
    task_of,
)
from app.streams.model import TaskId

NAMES = st.text(max_size=30)
TASKS = st.lists(st.builds(lambda a, b: f"{a}_{b}", st.integers(0, 99), st.integers(0, 9_999)), max_size=60).map(tuple)
OPTIONAL = st.none() | NAMES
SUBSCRIPTIONS = st.builds(
    Subscription,
    v=st.just(VERSION),
    process=NAMES,
    transactional_id=OPTIONAL,
    address=OPTIONAL,
    digest=NAMES,
    running=TASKS,
    lags=st.dictionaries(TASKS.filter(bool).map(lambda tasks: tasks[0]), st.integers(0, 2**63 - 1), max_size=20),
    known=st.lists(NAMES, max_size=10).map(tuple),
    fenced=st.lists(NAMES, max_size=10).map(tuple),
    nonce=st.integers(0, 2**31),
)
ASSIGNMENTS = st.builds(
    Assignment,
    v=st.just(VERSION),
    process=NAMES,
    transactional_id=OPTIONAL,
    address=OPTIONAL,
    digest=NAMES,
    active=TASKS,
    standby=TASKS,
    warmups=TASKS,
    peers=st.lists(st.builds(PeerData, NAMES, OPTIONAL, OPTIONAL, TASKS, TASKS), max_size=5).map(tuple),
    dead=st.lists(NAMES, max_size=5).map(tuple),
    counts=st.dictionaries(NAMES, st.integers(1, 10_000), max_size=5),
)


@given(SUBSCRIPTIONS)
def test_a_subscription_arrives_as_it_was_sent(sent: Subscription) -> None:
    assert read_subscription(encode(sent)) == sent


@given(ASSIGNMENTS)
def test_an_assignment_arrives_as_it_was_sent(sent: Assignment) -> None:
    assert read_assignment(encode(sent)) == sent


@settings(max_examples=500)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\x78\x9c" + tail))
def test_any_other_bytes_are_unreadable(raw: bytes) -> None:
    for read in (read_subscription, read_assignment):
        with pytest.raises(Unreadable):
            read(raw)


@given(SUBSCRIPTIONS, st.data())
def test_what_is_cut_off_is_unreadable(sent: Subscription, data: st.DataObject) -> None:
    raw = encode(sent)
    with pytest.raises(Unreadable):
        read_subscription(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(SUBSCRIPTIONS, st.data())
def test_what_is_damaged_is_read_or_unreadable(sent: Subscription, data: st.DataObject) -> None:
    raw = bytearray(encode(sent))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = read_subscription(bytes(raw))
    except Unreadable:
        return
    assert isinstance(found, Subscription)


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*Subscription.__struct_fields__, *Assignment.__struct_fields__]), JSON))
def test_fields_of_other_kinds_are_read_or_unreadable(fields: dict[str, Any]) -> None:
    raw = msgspec.json.encode({**fields, "v": VERSION})
    for read in (read_subscription, read_assignment):
        with suppress(Unreadable):
            read(raw)


def test_what_a_later_version_adds_does_not_hurt() -> None:
    raw = b'{"v":2,"supported":1,"process":"p","transactional_id":null,"address":null,"digest":"d","rack":"r1"}'
    assert read_subscription(raw).process == "p"


def test_a_refusal_is_readable_in_any_version() -> None:
    assert read_assignment(b'{"v":99,"supported":90,"error":"go away","active":{"other":"shape"}}').error == "go away"


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(Unreadable, match="cut off, or more"):
        read_subscription(
            encode(Subscription(v=1, process="x" * (LARGEST + 1), transactional_id=None, address=None, digest=""))
        )


def test_what_is_nested_without_end_is_unreadable() -> None:
    raw = b'{"v":1,"process":"p","transactional_id":null,"address":null,"digest":"d","more":' + b"[" * 100_000
    for read in (read_subscription, read_assignment):
        with pytest.raises(Unreadable):
            read(raw)


def test_much_is_sent_in_few_bytes() -> None:
    tasks = tuple(f"{part}_{number}" for part in range(4) for number in range(25))
    peers = tuple(PeerData(f"p{n}" * 6, f"app-p{n}" * 6, f"10.0.0.{n}:8080", tasks, tasks) for n in range(20))
    assert len(encode(Assignment(v=1, peers=peers, active=tasks))) < 3_000


@pytest.mark.parametrize(
    "name", ["", "1", "_", "1_", "_1", "1_2_3", "a_b", "-1_0", "1_0\n", "\u0661_\u0662", "1_0000000000"]
)
def test_what_names_no_task(name: str) -> None:
    with pytest.raises(ValueError, match="names no task"):
        task_of(name)


def test_a_task() -> None:
    assert task_of("12_345") == TaskId(12, 345)
