"""The test driver: one task as in Java's, or many as in a cluster."""

from __future__ import annotations

import pytest

from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Materialized
from app.streams.serdes import int64, utf8
from app.streams.testing.driver import CommitEvery, Driver
from app.streams.topology.topology import Topology


def word_count() -> Topology:
    builder = Builder()
    (
        builder.stream("lines", key=utf8, value=utf8)
        .flat_map_values(lambda _, line: line.split())
        .group_by(lambda _, word: word, key=utf8, value=utf8)
        .count(Materialized("counts"))
        .to_stream()
        .to("counts")
    )
    return builder.build()


@pytest.mark.parametrize("partitions", [None, {"lines": 1}, {"lines": 3}])
def test_word_count_gives_the_same_however_many_tasks(partitions: dict[str, int] | None) -> None:
    driver = Driver(word_count(), partitions=partitions)
    lines = driver.input("lines", utf8, utf8, start=100, step=10)
    for key in "abcdef":
        lines.send(key, "to be or not to be")
    assert driver.output("counts", utf8, int64).read_latest() == {"to": 12, "be": 12, "or": 6, "not": 6}


def test_each_partition_has_its_own_task_and_state() -> None:
    driver = Driver(word_count(), partitions={"lines": 2})
    assert [str(task.id) for task in driver.tasks] == ["0_0", "0_1", "1_0", "1_1"]
    lines = driver.input("lines", utf8, utf8)
    lines.send("k", "a b c d e", 1)
    kept = [dict(driver.store("counts", partition).all()) for partition in (0, 1)]
    assert sorted(kept[0] | kept[1]) == list("abcde")
    assert all(kept)


@pytest.mark.parametrize("commit_every", CommitEvery)
@pytest.mark.parametrize("partitions", [None, {"lines": 2}])
def test_a_restart_goes_on_where_it_stopped(partitions: dict[str, int] | None, commit_every: CommitEvery) -> None:
    driver = Driver(word_count(), partitions=partitions, commit_every=commit_every)
    lines, counts = driver.input("lines", utf8, utf8), driver.output("counts", utf8, int64)
    lines.send("k", "a b a", 5)
    driver.restart()
    lines.send("k", "a", 6)
    assert counts.read_latest() == {"a": 3, "b": 1}


def test_an_unknown_topic_or_store_is_answered_with_what_there_is() -> None:
    driver = Driver(word_count())
    with pytest.raises(KeyError, match="does not read topic 'typo'; it reads: app-counts-repartition, lines"):
        driver.input("typo", utf8, utf8).send("k", "v")
    with pytest.raises(KeyError, match="no store named 'typo' in partition 0; there are: counts"):
        driver.store("typo")


def test_reading_too_much_says_what_was_written_instead() -> None:
    driver = Driver(word_count())
    driver.input("lines", utf8, utf8).send("k", "a")
    with pytest.raises(
        AssertionError,
        match=r"written so far: app-counts-changelog \(1\), app-counts-repartition \(1\), counts \(1\); dropped: 0",
    ):
        driver.output("other", utf8, utf8).read()


def test_each_record_is_read_once() -> None:
    driver = Driver(word_count())
    driver.input("lines", utf8, utf8).send("k", "a b c", 7)
    counts = driver.output("counts", utf8, int64)
    assert len(counts) == 3
    first = counts.read()
    assert (first.key, first.value, first.timestamp) == ("a", 1, 7)
    assert counts.read_pairs() == [("b", 1), ("c", 1)]
    assert counts.read_all() == []


def test_topics_of_a_pattern_share_one_counter_as_in_java() -> None:
    builder = Builder()
    builder.stream(pattern="t-.*", key=utf8, value=utf8).to("out")
    driver = Driver(builder.build())
    driver.send("t-1", b"k", b"a", 1)
    driver.send("t-2", b"k", b"b", 2)
    assert driver.output("out", utf8, utf8).read_pairs() == [("k", "a"), ("k", "b")]
    assert driver.tasks[0].ctx.offset == 1
