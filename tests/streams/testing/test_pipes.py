"""What a test is told when its own serdes do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from app.streams import Builder
from app.streams.serdes import int64, utf8
from app.streams.testing import Driver


def passing() -> Driver:
    builder = Builder()
    builder.stream("in", key=utf8, value=utf8).to("out")
    return Driver(builder.build())


def test_a_value_of_another_type_is_named_with_its_topic() -> None:
    number: Any = 5
    with pytest.raises(TypeError) as error:
        passing().input("in", utf8, utf8).send("k", number)
    assert error.value.__notes__ == ["while sending a value to topic 'in': 5"]


def test_bytes_that_the_serde_cannot_read_are_named_with_their_topic() -> None:
    driver = passing()
    driver.input("in", utf8, utf8).send("key", "value")
    with pytest.raises(Exception, match="8 bytes") as error:
        driver.output("out", int64, utf8).read()
    assert error.value.__notes__ == ["while reading a key of topic 'out': b'key'"]


def test_timestamps_go_on_by_themselves() -> None:
    driver = passing()
    given = driver.input("in", utf8, utf8, start=100, step=10)
    given.send_all([("a", "1"), ("b", None)])
    given.send("c", "3", at=5)
    given.send("d", "4", headers=(("h", b"x"),))
    records = driver.output("out", utf8, utf8).read_all()
    assert [(record.key, record.timestamp) for record in records] == [("a", 100), ("b", 110), ("c", 5), ("d", 120)]
    assert records[3].headers == (("h", b"x"),)
