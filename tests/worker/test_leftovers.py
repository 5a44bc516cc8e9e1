"""State of tasks that are elsewhere: what a process says of it when it joins decides which tasks it is given."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from app.state import Slot, take_slot
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import raw
from app.streams.stores.base import Marks
from app.streams.stores.specs import KeyValueSpec
from app.streams.topology.subtopologies import subtopologies
from app.worker.states import States
from tests.worker.changelogs import COUNTS, topology

TASK = TaskId(0, 0)
OTHER = KeyValueSpec(name="other", key=raw, value=raw)


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    with take_slot(tmp_path, "app") as slot:
        yield slot


async def test_a_state_that_holds_nothing_is_not_said_to_be_complete(slot: Slot) -> None:
    made = topology(COUNTS, OTHER)
    [part] = subtopologies(made)
    async with States(made, slot) as states:
        await states.open(TASK, part, {})
        states.bases(TASK)(COUNTS).apply([(b"key", b"1")], Marks(7))
        await states.close(TASK)
        assert states.left() == {}, "one of its stores is not there"
        await states.open(TASK, part, {})
        states.bases(TASK)(OTHER).apply([], Marks(3))
        await states.close(TASK)
        assert states.left() == {TASK: 0}


async def test_what_is_missing_is_missing_over_all_stores(slot: Slot) -> None:
    made = topology(COUNTS, OTHER)
    [part] = subtopologies(made)
    async with States(made, slot) as states:
        await states.open(TASK, part, {})
        for spec in (COUNTS, OTHER):
            states.bases(TASK)(spec).apply([(b"key", b"1")], Marks(70))

    async def ends(partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        known = {made.changelog("counts"): 100, made.changelog("other"): 60}
        return {each: known[each.topic] for each in partitions}

    async with States(made, slot) as states:
        await states.awaken({}, ends)
        assert states.left() == {TASK: 30}, "one that is ahead makes up for nothing"


async def test_what_a_kill_kept_from_being_removed_is_removed(slot: Slot) -> None:
    half = slot.path / "0_0.removed"
    half.mkdir()
    (half / "data.mdb").write_bytes(b"half")

    async def nobody(_partitions: object) -> Mapping[TopicPartition, int]:
        pytest.fail("nothing is left to ask for")

    async with States(topology(), slot) as states:
        await states.awaken({}, nobody)
        assert not half.exists()
        assert states.left() == {}
