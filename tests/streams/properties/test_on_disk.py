"""Over LMDB the results are those over memory, whatever is aborted, killed or half applied."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import given, settings

from app.state import TaskState, open_task_state
from app.streams.model import Row
from app.streams.stores import Base
from app.streams.stores.specs import StoreSpec
from tests.state.places import Clock, expected
from tests.streams.properties.drawing import courses, inputs
from tests.streams.properties.recipes import CORES, Recipe, recipes
from tests.streams.properties.test_results import ONLY_A_CACHE
from tests.streams.properties.world import Action, outcome, run

# More than any recipe has in one task.
STORES: Final = tuple(f"store{number}" for number in range(12))


class Disk:
    """One environment for the stores of each task; a crash lets go of it as a kill would."""

    def __init__(self, slot: Path) -> None:
        self._slot = slot
        self._states: dict[int, TaskState] = {}

    def base(self, part: int, spec: StoreSpec) -> Base:
        if part not in self._states:
            facts = expected(task=f"{part}_0", stores=STORES, changelogs={})
            self._states[part] = open_task_state(self._slot, facts, Clock())
            assert self._states[part].aside is None, "what a kill leaves can be trusted"
        return self._states[part].base(spec)

    def crash(self, part: int) -> None:
        if part in self._states:
            self._states.pop(part).abandon()

    def close(self) -> None:
        for part in list(self._states):
            self.crash(part)


@settings(max_examples=80, deadline=None)
@given(recipes(set(CORES) - ONLY_A_CACHE), inputs(), courses(crashes=True))
def test_disk_and_crashes_change_nothing(recipe: Recipe, rows: list[Row], course: list[Action]) -> None:
    with TemporaryDirectory() as folder, ExitStack() as ends:
        disk = Disk(Path(folder))
        ends.callback(disk.close)
        world = run(recipe.topology(), recipe.rows(rows), course, disk)
        assert outcome(world) == outcome(run(recipe.topology(), recipe.rows(rows), []))
