"""Who can answer: the task that is here, its copy, another instance, or nobody, and then why."""

from __future__ import annotations

import pytest

from app.streams.model import Offset, TaskId, TopicPartition
from app.streams.queries import (
    At,
    Budget,
    Cursor,
    Here,
    InvalidQuestion,
    NoOwner,
    NotHere,
    NotUpToBound,
    Place,
    QueryRefused,
    Question,
    Refused,
    StoreRestoring,
    UnknownStore,
    asked,
)
from app.worker.held import TaskPhase
from app.worker.queries import Queries
from tests.worker.instances import PARTITIONS, Instance, Other, counting, feed, key_of, part_of


def counts(key: str, **parameters: str) -> Question:
    return asked("counts", key, parameters.items())


def place(instance: Instance, question: Question) -> Place:
    [found] = Queries(instance).places(question)
    return found


def reason(found: Place) -> QueryRefused:
    assert isinstance(found, Refused)
    return found.reason


def read(instance: Instance, question: Question) -> list[object]:
    queries = Queries(instance)
    [here] = queries.places(question)
    assert isinstance(here, Here)
    return [row["value"] for row in queries.read(question, here, Budget(100)).rows]


class TestPlaces:
    def test_here_is_where_the_partition_of_the_key_runs(self) -> None:
        one = Instance("one", counting())
        feed(one.take("counts", 2), "in", [(key_of(2), 1, 0)] * 3)
        assert place(one, counts(key_of(2))) == Here(2)
        assert read(one, counts(key_of(2))) == [3]

    def test_a_restoring_one_answers_on_request_only(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 2, TaskPhase.RESTORING)
        refused = reason(place(one, counts(key_of(2))))
        assert isinstance(refused, StoreRestoring)
        assert "app-counts-changelog-2" in refused.why
        assert "standby=true" in refused.where
        assert place(one, counts(key_of(2), standby="true")) == Here(2, standby=True)

    def test_a_standby_answers_on_request_only(self) -> None:
        one = Instance("one", counting())
        task = one.take("counts", 2, TaskPhase.STANDBY).id
        one.others = {"two": Other("two", "http://two:1", (task,))}
        assert place(one, counts(key_of(2))) == At(2, ("http://two:1",))
        assert place(one, counts(key_of(2), standby="true")) == Here(2, standby=True)

    def test_elsewhere_the_owner_first_and_copies_on_request(self) -> None:
        one = Instance("one", counting())
        task = TaskId(part_of(one.topology, "counts"), 2)
        one.others = {
            "three": Other("three", "http://three:1", standby=(task,)),
            "two": Other("two", "http://two:1", active=(task,)),
        }
        assert place(one, counts(key_of(2))) == At(2, ("http://two:1",))
        assert place(one, counts(key_of(2), standby="true")) == At(2, ("http://two:1", "http://three:1"))

    def test_our_own_entry_in_the_assignment_is_nowhere_to_go(self) -> None:
        one = Instance("one", counting())
        one.others = {"one": Other("one", "http://one:1", (TaskId(part_of(one.topology, "counts"), 2),))}
        assert isinstance(reason(place(one, counts(key_of(2)))), NoOwner)

    def test_an_owner_without_an_address_is_named(self) -> None:
        one = Instance("one", counting())
        one.others = {"two": Other("two", None, (TaskId(part_of(one.topology, "counts"), 2),))}
        refused = reason(place(one, counts(key_of(2))))
        assert isinstance(refused, NotHere)
        assert "instance two" in refused.why
        assert "APP_HTTP__ADVERTISED" in refused.where

    def test_nobody(self) -> None:
        assert isinstance(reason(place(Instance("one", counting()), counts(key_of(2)))), NoOwner)

    def test_before_the_first_assignment(self) -> None:
        one = Instance("one", counting())
        one.counted = False
        for question in (counts("a"), asked("counts", None, [])):
            with pytest.raises(NoOwner, match="not known"):
                Queries(one).places(question)

    def test_without_a_changelog_the_tasks_tell_how_many_partitions_there_are(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 0)
        one.others = {"two": Other("two", "http://two:1", (TaskId(part_of(one.topology, "counts"), 3),))}
        one.counted = False
        assert len(Queries(one).places(asked("counts", None, []))) == PARTITIONS

    def test_a_range_is_about_every_partition_from_the_cursor_on(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 1)
        places = Queries(one).places(asked("counts", None, []))
        assert [found.partition for found in places] == [0, 1, 2, 3]
        assert places[1] == Here(1)
        assert [found.partition for found in Queries(one).places(asked("counts", None, [("partition", "3")]))] == [3]
        for wrong in ("4", "-1"):
            with pytest.raises(InvalidQuestion, match="0 to 3"):
                Queries(one).places(asked("counts", None, [("partition", wrong)]))

    def test_an_unknown_store_and_a_buffer(self) -> None:
        one = Instance("one", counting())
        with pytest.raises(UnknownStore, match=r"it has counts, facts, .*sessions, windows, world"):
            Queries(one).places(asked("nope", "a", []))
        [buffer] = [each["name"] for each in Queries(one).listing() if not each["readable"]]
        with pytest.raises(InvalidQuestion, match="buffer"):
            Queries(one).places(asked(buffer, "a", []))

    def test_a_global_store_is_everywhere_once_it_is_loaded(self) -> None:
        one = Instance("one", counting())
        question = asked("world", "a", [])
        assert isinstance(reason(place(one, question)), StoreRestoring)
        one.load_world({"a": 7})
        assert place(one, question) == Here(0)
        assert read(one, question) == [7]
        assert Queries(one).store("world").get("a")[0] == 7

    def test_a_task_that_leaves_between_the_question_and_the_answer(self) -> None:
        one = Instance("one", counting())
        held = one.take("counts", 2)
        queries = Queries(one)
        question = counts(key_of(2))
        [here] = queries.places(question)
        del one.tasks[held.id]
        assert isinstance(here, Here)
        with pytest.raises(NoOwner, match="just left"):
            queries.read(question, here, Budget(1))

    def test_a_task_that_becomes_a_copy_between_the_question_and_the_answer(self) -> None:
        one = Instance("one", counting())
        held = one.take("counts", 2)
        queries = Queries(one)
        question = counts(key_of(2))
        [here] = queries.places(question)
        assert isinstance(here, Here)
        for phase in (TaskPhase.RESTORING, TaskPhase.STANDBY):
            held.phase = phase
            with pytest.raises(NoOwner, match="just left"):
                queries.read(question, here, Budget(1))
        [here] = queries.places(counts(key_of(2), standby="true"))
        assert isinstance(here, Here)
        assert queries.read(question, here, Budget(1)).rows == []

    def test_a_cursor_goes_with_its_question(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 0)
        one.load_world({"a": 7})
        queries = Queries(one)
        cursor = Cursor(1, b"a").text()
        assert [found.partition for found in queries.places(asked("counts", None, [("cursor", cursor)]))] == [1, 2, 3]
        assert queries.places(asked("world", None, [("cursor", Cursor(0, b"a").text())])) == [Here(0)]
        for question in (
            asked("counts", None, [("partition", "2"), ("cursor", cursor)]),
            asked("counts", None, [("cursor", Cursor(4).text())]),
            asked("windows", key_of(0), [("cursor", cursor)]),
            asked("world", None, [("cursor", cursor)]),
        ):
            with pytest.raises(InvalidQuestion, match="of another question"):
                queries.places(question)
        with pytest.raises(InvalidQuestion, match="0 to 0"):
            queries.places(asked("world", None, [("partition", "1")]))


class TestPositions:
    def test_what_was_committed_and_nothing_more(self) -> None:
        one = Instance("one", counting())
        held = one.take("counts", 2)
        feed(held, "in", [(key_of(2), 1, 0)] * 3)
        feed(held, "in", [(key_of(2), 1, 0)] * 2, commit=False)
        known = Queries(one).positions("counts", Here(2))
        assert known[TopicPartition("in", 2)] == 2
        assert known[TopicPartition("app-counts-changelog", 2)] == 0
        assert read(one, counts(key_of(2), bound="in-2:2")) == [3]
        with pytest.raises(NotUpToBound, match="in-2:2, asked for was 3"):
            read(one, counts(key_of(2), bound="in-2:3"))

    def test_a_standby_knows_its_changelog_alone(self) -> None:
        one = Instance("one", counting())
        held = one.take("counts", 2, TaskPhase.STANDBY)
        held.task.restore("counts", [(key_of(2).encode(), (5).to_bytes(8, "big"), 0, ())], 10)
        standby = {"standby": "true"}
        assert read(one, counts(key_of(2), bound="app-counts-changelog-2:9", **standby)) == [5]
        with pytest.raises(NotUpToBound):
            read(one, counts(key_of(2), bound="app-counts-changelog-2:10", **standby))
        with pytest.raises(NotUpToBound, match="not known here"):
            read(one, counts(key_of(2), bound="in-2:0", **standby))

    def test_what_is_still_restored_is_not_where_it_will_go_on(self) -> None:
        one = Instance("one", counting())
        held = one.take("counts", 2, TaskPhase.RESTORING)
        held.task.resume_from("in", 2, Offset(50, ""))
        with pytest.raises(NotUpToBound, match="not known here"):
            read(one, counts(key_of(2), bound="in-2:10", standby="true"))


class TestInside:
    def test_all_local_partitions_with_keys_as_processors_have_them(self) -> None:
        one = Instance("one", counting())
        for partition in (0, 2):
            feed(one.take("counts", partition), "in", [(key_of(partition, nth), 1, 0) for nth in range(2)])
        store = Queries(one).store("counts")
        assert store.get(key_of(2)) == (1, 0)
        assert sorted(key for key, _ in store.all()) == sorted(
            key_of(partition, nth) for partition in (0, 2) for nth in range(2)
        )
        assert list(Queries(one).store("windows").fetch(key_of(2), 0, 10)) == [(0, (1, 0))]
        with pytest.raises(NoOwner):
            store.get(key_of(1))

    def test_it_says_who_has_what_is_not_here(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 0)
        one.others = {"two": Other("two", "http://two:1", (TaskId(part_of(one.topology, "counts"), 1),))}
        with pytest.raises(NotHere, match="http://two:1"):
            Queries(one).store("counts").get(key_of(1))

    def test_none_is_here(self) -> None:
        with pytest.raises(NoOwner):
            Queries(Instance("one", counting())).store("counts")


def test_the_list_of_stores() -> None:
    one = Instance("one", counting())
    number = part_of(one.topology, "counts")
    feed(one.take("counts", 0), "in", [(key_of(0), 1, 0)])
    one.take("counts", 1, TaskPhase.STANDBY)
    one.others = {"two": Other("two", "http://two:1", (TaskId(number, 1), TaskId(number, 2)))}
    listed = {each["name"]: each for each in Queries(one).listing()}
    assert listed["counts"]["kind"] == "key-value"
    assert listed["counts"]["partitions"] == [
        {"partition": 0, "here": True, "phase": "running", "rows": 1},
        {"partition": 1, "here": True, "phase": "standby", "rows": 0, "addresses": ["http://two:1"]},
        {"partition": 2, "here": False, "addresses": ["http://two:1"]},
        {
            "partition": 3,
            "here": False,
            "why": f"the group has not given task {number}_3 to anyone, or not told us yet",
        },
    ]
    assert listed["facts"]["kind"] == "versioned"
    assert listed["world"]["global"] is True
    assert {listed[name]["kind"] for name in ("windows", "sessions")} == {"window", "session"}


def test_pause_and_resume() -> None:
    one = Instance("one", counting())
    queries = Queries(one)
    queries.pause()
    assert (one.paused, queries.paused) == (True, True)
    queries.resume()
    assert not queries.paused
