"""Values that a serde refuses: the error says whose serde it was."""

from typing import Any

import pytest

from app.streams.config import StreamsConfig, skip
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.errors import ProcessingError, ProductionError
from app.streams.serdes import int64, utf8
from app.streams.testing import Driver
from app.streams.windows.definitions import Sessions, Tumbling
from tests.streams.task.test_task import inbound, new_task


def test_a_value_the_sink_refuses_could_not_be_produced() -> None:
    builder = Builder()
    builder.stream("in", key=utf8, value=utf8).to("out", value=int64, name="sink")  # type: ignore[arg-type]
    with Driver(builder.build()) as driver, pytest.raises(ProductionError, match="could not be produced in sink"):
        driver.input("in", key=utf8, value=utf8).send("k", "no number")


def test_a_value_the_store_refuses_names_the_store() -> None:
    builder = Builder()
    kept: Any = Materialized("kept", value=int64)
    builder.stream("in", key=utf8, value=utf8).group_by_key().reduce(lambda _old, new: new, kept)
    refused = "a change since the last commit could not be processed in store kept of task 0_0: error: required arg"
    with pytest.raises(ProcessingError, match=refused), Driver(builder.build()) as driver:
        driver.input("in", key=utf8, value=utf8).send("k", "no number")


@pytest.mark.parametrize("windows", [None, Tumbling(10, grace=0), Sessions(10, grace=0)])
def test_a_value_the_store_refuses_is_skipped_where_every_put_is_logged(windows: Any) -> None:
    builder = Builder(StreamsConfig(log_every_put=True, processing_handler=skip))
    kept: Any = Materialized("kept", value=int64)
    grouped: Any = builder.stream("in", key=utf8, value=utf8).group_by_key()
    (grouped if windows is None else grouped.windowed_by(windows)).reduce(lambda _old, new: new, kept)
    with Driver(builder.build()) as driver:
        driver.input("in", key=utf8, value=utf8).send("k", "no number")
        assert driver.dropped == 1
        store = driver.store("kept")
        assert list(store.all() if hasattr(store, "all") else store.fetch("k")) == []


def test_a_record_that_fails_when_a_cache_lets_go_of_it_is_named() -> None:
    builder = Builder(StreamsConfig(max_task_idle=-1, cache_bytes=1_000_000))
    counts = builder.stream("in", key=utf8, value=utf8).group_by_key().count(Materialized("c"))
    counts.to_stream().map_values(lambda _key, value: 1 // (value - 1), name="div").to("out", key=utf8, value=int64)
    task = new_task(builder.build(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(7, 1), inbound(8, 2, key="other")])
    task.process(0)
    with pytest.raises(ProcessingError, match="record in/0@7 could not be processed in div of task 0_0: ZeroDivision"):
        task.commit()
