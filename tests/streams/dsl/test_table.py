"""Tables: what is kept, what is forwarded, and when old values are known."""

from __future__ import annotations

from app.streams.config import ALL_OPTIMIZATIONS, StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.dsl.table import Table
from app.streams.serdes import int64, utf8
from app.streams.stores.specs import KeyValueSpec
from app.streams.testing.driver import Driver


def numbers(builder: Builder, name: str | None = None) -> Table[str, int]:
    return builder.table("in", Materialized(name) if name is not None else None, key=utf8, value=int64)


def played(builder: Builder, *rows: tuple[str | None, int | None]) -> Driver:
    driver = Driver(builder.build())
    driver.input("in", utf8, int64).send_all(rows)
    return driver


def test_a_table_nobody_looks_into_has_no_store() -> None:
    builder = Builder()
    numbers(builder).to_stream().to("out")
    driver = played(builder, ("a", 1), (None, 2), ("a", None))
    assert driver.store_names() == []
    assert driver.output("out", utf8, int64).read_pairs() == [("a", 1), ("a", None)]
    assert driver.dropped == 1


def test_offset_order_wins_over_time() -> None:
    builder = Builder()
    numbers(builder, "kept").to_stream().to("out")
    driver = Driver(builder.build())
    source = driver.input("in", utf8, int64)
    source.send("a", 1, at=10)
    source.send("a", 2, at=5)
    assert driver.store("kept").get("a") == (2, 5)


def test_rows_that_fail_a_filter_become_tombstones() -> None:
    builder = Builder()
    numbers(builder).filter(lambda _, n: n > 2).to_stream().to("out")
    driver = played(builder, ("a", 1), ("a", 3), ("a", 2))
    # Nobody knows what was there before, so the first tombstone goes out too (E5).
    assert driver.output("out", utf8, int64).read_pairs() == [("a", None), ("a", 3), ("a", None)]


def test_below_a_store_no_tombstone_for_what_never_passed() -> None:
    builder = Builder()
    numbers(builder, "kept").filter(lambda _, n: n > 2).to_stream().to("out")
    driver = played(builder, ("a", 1), ("a", 3), ("a", 2), ("a", 1))
    assert driver.output("out", utf8, int64).read_pairs() == [("a", 3), ("a", None)]


def test_map_values_does_not_see_deletions_and_transform_values_does() -> None:
    builder = Builder()
    table = numbers(builder)
    table.map_values(lambda _, n: n * 2).to_stream().to("mapped", value=int64)
    table.transform_values(lambda _, n: -1 if n is None else n * 2).to_stream().to("transformed", value=int64)
    driver = played(builder, ("a", 1), ("a", None))
    assert driver.output("mapped", utf8, int64).read_pairs() == [("a", 2), ("a", None)]
    assert driver.output("transformed", utf8, int64).read_pairs() == [("a", 2), ("a", -1)]


def test_a_reused_source_topic_is_not_logged_and_restores_the_store() -> None:
    builder = Builder(StreamsConfig(optimization=ALL_OPTIMIZATIONS))
    numbers(builder, "kept").to_stream().to("out")
    driver = played(builder, ("a", 1), ("b", 2), ("a", None))
    assert {row.topic for row in driver.sent} == {"out"}
    driver.restart()
    assert [(key, value) for key, value in driver.store("kept").all()] == [("b", (2, 0))]


def test_a_stream_becomes_a_table_behind_a_topic_if_its_keys_changed() -> None:
    builder = Builder()
    stream = builder.stream("in", key=utf8, value=int64)
    stream.map(lambda key, n: (key + "!", n)).to_table(Materialized("kept", key=utf8, value=int64))
    driver = played(builder, ("a", 1))
    assert driver.store("kept").get("a!") == (1, 0)
    assert driver.sent[0].topic == "app-KSTREAM-TOTABLE-0000000002-repartition"


def test_views_compute_rows_of_tables_without_a_store() -> None:
    builder = Builder()
    table = numbers(builder)
    derived = table.map_values(lambda _, n: n * 2).filter(lambda _, n: n > 2)
    view = derived.origin.view()
    assert view.stores == ("in-STATE-STORE-0000000000",)
    topology = builder.build()
    assert isinstance(topology.stores["in-STATE-STORE-0000000000"], KeyValueSpec)


def test_asking_for_old_values_materializes_only_the_source() -> None:
    builder = Builder()
    derived = numbers(builder).map_values(lambda _, n: n * 2)
    assert not derived.origin.send_old_values(force=False)
    assert derived.origin.send_old_values(force=True)
    derived.to_stream().to("out", value=int64)
    assert list(builder.build().stores) == ["in-STATE-STORE-0000000000"]
