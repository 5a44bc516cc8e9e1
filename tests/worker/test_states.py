"""States of tasks: kept while tasks come and go, reused by the next life, removed only when nobody wants them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.state import Slot, take_slot
from app.streams.model import TaskId, TopicPartition
from app.streams.serdes import raw
from app.streams.stores.base import Marks
from app.streams.stores.specs import KeyValueSpec, StoreSpec
from app.streams.topology.subtopologies import Subtopology, subtopologies
from app.streams.topology.topology import Topology
from app.worker.states import Ends, States
from tests.worker.changelogs import COUNTS, topology

TASK, OTHER = TaskId(0, 0), TaskId(0, 1)
IDS = {"counts": "topic-id"}
IN_MEMORY = KeyValueSpec(name="quick", key=raw, value=raw, persistent=False)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    with take_slot(tmp_path, "app") as slot:
        yield slot


def part_of(made: Topology) -> Subtopology:
    [part] = subtopologies(made)
    return part


def ends(end: int) -> Ends:
    async def found(partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, end)

    return found


async def put(states: States, made: Topology, task: TaskId, position: int, spec: StoreSpec = COUNTS) -> None:
    await states.open(task, part_of(made), IDS)
    states.bases(task)(spec).apply([(b"key", b"%d" % position)], Marks(position))


@pytest.mark.parametrize("disk", [True, False])
async def test_a_task_that_comes_back_finds_its_rows(slot: Slot, disk: bool) -> None:
    made = topology()
    async with States(made, slot if disk else None) as states:
        await put(states, made, TASK, 7)
        assert states.bases(TASK)(COUNTS).get(b"key") == b"7"
        assert (states.left(), states.positions(TASK)) == ({}, {"counts": 7})
        await states.close(TASK)
        assert (states.left(), states.positions(TASK)) == ({TASK: 0}, {"counts": 7})
        await states.open(TASK, part_of(made), IDS)
        assert states.bases(TASK)(COUNTS).get(b"key") == b"7"
        assert states.left() == {}


async def test_the_next_life_tells_what_lies_in_the_slot_before_it_joins(slot: Slot) -> None:
    made = topology()
    async with States(made, slot) as states:
        await put(states, made, TASK, 70)
        await put(states, made, OTHER, 90)
    async with States(made, slot) as states:
        assert states.left() == {}
        await states.awaken({made.changelog("counts"): "topic-id"}, ends(100))
        assert states.left() == {TASK: 30, OTHER: 10}
        await states.open(TASK, part_of(made), IDS)
        assert states.left() == {OTHER: 10}
        assert states.bases(TASK)(COUNTS).get(b"key") == b"70"
    async with States(made, slot) as states:
        await states.awaken({made.changelog("counts"): "topic-id"}, ends(100))
        assert states.left() == {TASK: 30, OTHER: 10}, "what was not opened was kept too"


async def test_state_of_a_recreated_changelog_is_not_used(slot: Slot) -> None:
    made = topology()
    async with States(made, slot) as states:
        await put(states, made, TASK, 70)
    async with States(made, slot) as states:
        await states.awaken({made.changelog("counts"): "topic-id"}, ends(100))
        await states.open(TASK, part_of(made), {"counts": "another"})
        assert states.bases(TASK)(COUNTS).get(b"key") is None
        assert states.positions(TASK) == {"counts": None}


async def test_state_of_other_stores_is_not_used(slot: Slot) -> None:
    made = topology()
    async with States(made, slot) as states:
        await put(states, made, TASK, 70)
    changed = topology(replace(COUNTS, timestamped=True))
    async with States(changed, slot) as states:
        await states.open(TASK, part_of(changed), IDS)
        assert states.positions(TASK) == {"counts": None}


async def test_what_only_decides_what_is_written_changes_nothing(slot: Slot) -> None:
    made = topology()
    async with States(made, slot) as states:
        await put(states, made, TASK, 70)
    changed = topology(replace(COUNTS, caching=True, log_config={"min.compaction.lag.ms": "1"}))
    async with States(changed, slot) as states:
        await states.open(TASK, part_of(changed), IDS)
        assert states.positions(TASK) == {"counts": 70}


@pytest.mark.parametrize("disk", [True, False])
async def test_a_condemned_state_is_opened_empty(slot: Slot, disk: bool) -> None:
    made = topology()
    async with States(made, slot if disk else None) as states:
        await put(states, made, TASK, 7)
        await states.condemn(TASK, "its changelog was cut off")
        await states.close(TASK)
        assert states.left() == {}
        await states.open(TASK, part_of(made), IDS)
        assert states.positions(TASK) == {"counts": None}
        assert states.bases(TASK)(COUNTS).get(b"key") is None


async def test_a_condemned_state_is_not_used_after_a_kill_either(slot: Slot) -> None:
    made = topology()
    killed = States(made, slot)
    await put(killed, made, TASK, 7)
    await killed.condemn(TASK, "its changelog was cut off")
    async with States(made, slot) as states:
        await states.open(TASK, part_of(made), IDS)
        assert states.positions(TASK) == {"counts": None}


async def test_only_states_that_nobody_wants_are_removed_and_late(slot: Slot) -> None:
    made, clock = topology(), Clock()
    async with States(made, slot, monotonic=clock, cleanup_delay_s=600) as states:
        third = TaskId(0, 2)
        for task in (TASK, OTHER, third):
            await put(states, made, task, 7)
        await states.close(TASK)
        await states.close(OTHER)
        assert await states.clean(assigned=[]) == []
        clock.now += 601
        assert await states.clean(assigned=[OTHER]) == [TASK], "the third is open, the second assigned"
        assert slot.tasks() == [str(OTHER), str(third)]
        assert states.left() == {OTHER: 0}
        await states.open(TASK, part_of(made), IDS)
        assert states.positions(TASK) == {"counts": None}
        assert states.bases(third)(COUNTS).get(b"key") == b"7"


async def test_what_an_earlier_life_left_is_removed_too(slot: Slot) -> None:
    made, clock = topology(), Clock()
    async with States(made, slot) as states:
        await put(states, made, TASK, 7)
    async with States(made, slot, monotonic=clock) as states:
        await states.awaken({made.changelog("counts"): "topic-id"}, ends(7))
        clock.now += 601
        assert await states.clean(assigned=[]) == [TASK]
        assert list(slot.path.glob("0_*")) == []


async def test_a_store_in_memory_is_in_memory(slot: Slot) -> None:
    made = topology(COUNTS, IN_MEMORY)
    async with States(made, slot) as states:
        await put(states, made, TASK, 7)
        states.bases(TASK)(IN_MEMORY).apply([(b"key", b"x")], Marks(9))
        assert states.positions(TASK) == {"counts": 7, "quick": 9}
        [found] = states.statistics()
        assert set(found.stores) == {"counts"}
        assert found.bytes > 0
    async with States(made, slot) as states:
        await states.open(TASK, part_of(made), IDS)
        assert states.positions(TASK) == {"counts": 7, "quick": None}


async def test_a_state_can_be_opened_while_its_closing_takes_long(slot: Slot) -> None:
    made = topology()
    async with States(made, slot) as states:
        await put(states, made, TASK, 7)
        await states.close(TASK, within=0)
        await states.open(TASK, part_of(made), IDS)
        assert states.bases(TASK)(COUNTS).get(b"key") == b"7", "the end of the closing was waited for"


@pytest.mark.parametrize("disk", [True, False])
async def test_a_state_that_was_left_open_is_judged_again(slot: Slot, disk: bool) -> None:
    """A take-over was interrupted before it closed what is not needed any more."""
    made = topology()
    async with States(made, slot if disk else None) as states:
        await put(states, made, TASK, 7)
        await states.condemn(TASK, "its changelog was cut off")
        await states.open(TASK, part_of(made), IDS)
        assert states.positions(TASK) == {"counts": None}
        assert not states.condemned(TASK)
        await put(states, made, OTHER, 7)
        await states.open(OTHER, part_of(made), IDS)
        assert states.positions(OTHER) == {"counts": 7}
        await states.open(OTHER, part_of(made), {"counts": "another"})
        assert states.positions(OTHER) == {"counts": None}


async def test_state_of_a_sub_topology_that_is_no_more_is_removed_too(slot: Slot) -> None:
    made, clock = topology(), Clock()
    async with States(made, slot) as states:
        await put(states, made, TASK, 7)
    gone = (slot.path / str(TASK)).rename(slot.path / "7_0")
    async with States(made, slot, monotonic=clock) as states:
        await states.awaken({}, ends(7))
        assert states.left() == {}
        clock.now += 599
        assert await states.clean(assigned=[]) == []
        assert gone.exists(), "who goes back to the topology before finds it"
        clock.now += 2
        assert await states.clean(assigned=[]) == [TaskId(7, 0)]
        assert not gone.exists()


async def test_what_is_in_memory_is_missed_when_the_state_was_closed(slot: Slot) -> None:
    made, topic_ids = topology(COUNTS, IN_MEMORY), {"app-counts-changelog": "topic-id"}
    async with States(made, slot) as states:
        await put(states, made, TASK, 70)
        states.bases(TASK)(IN_MEMORY).apply([(b"key", b"x")], Marks(90))
        await states.close(TASK)
        assert (states.left(), states.positions(TASK)) == ({}, {"counts": 70, "quick": None})
        await states.awaken(topic_ids, ends(100))
        assert states.left() == {TASK: 30 + 100}
    async with States(made, slot) as states:
        await states.awaken(topic_ids, ends(100))
        assert states.left() == {TASK: 30 + 100}, "what is on disk counts"
