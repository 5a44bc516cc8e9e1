"""Values that a serde refuses: the error says whose serde it was."""

import struct
from typing import Any

import pytest

from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.errors import ProductionError
from app.streams.serdes import int64, utf8
from app.streams.testing import Driver


def test_a_value_the_sink_refuses_could_not_be_produced() -> None:
    builder = Builder()
    builder.stream("in", key=utf8, value=utf8).to("out", value=int64, name="sink")  # type: ignore[arg-type]
    with Driver(builder.build()) as driver, pytest.raises(ProductionError, match="could not be produced in sink"):
        driver.input("in", key=utf8, value=utf8).send("k", "no number")


def test_a_value_the_store_refuses_names_the_store() -> None:
    builder = Builder()
    kept: Any = Materialized("kept", value=int64)
    builder.stream("in", key=utf8, value=utf8).group_by_key().reduce(lambda _old, new: new, kept)
    with pytest.raises(struct.error) as raised, Driver(builder.build()) as driver:
        driver.input("in", key=utf8, value=utf8).send("k", "no number")
    assert any("store kept of task 0_0" in note for note in raised.value.__notes__)
