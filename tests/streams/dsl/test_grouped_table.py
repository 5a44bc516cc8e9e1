"""Tables under another key."""

from __future__ import annotations

import pytest

from app.streams import Builder, Materialized, ProcessingError
from app.streams.serdes import utf8
from app.streams.testing import Driver


def test_a_change_without_a_key_is_an_error_since_the_topic_lets_none_through() -> None:
    builder = Builder()
    people = builder.table("people", key=utf8, value=utf8)
    people.group_by(lambda name, city: (city, name), key=utf8, value=utf8).count(Materialized("by-city"))
    with Driver(builder.build()) as driver, pytest.raises(ProcessingError, match="has no key"):
        driver.send("app-by-city-repartition", None, b"ann\x01", 1)
