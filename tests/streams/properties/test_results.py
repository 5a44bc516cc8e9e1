"""Results depend on the records alone: not on batches, on commits, on what overlaps with them, nor on crashes.

The record cache is off here, for what it forwards depends on when it is flushed, as in Java.
"""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.streams.model import Row
from app.streams.stores import memory_base
from app.streams.stores.specs import GraceSpec, SessionSpec, WindowSpec
from app.streams.task import Task
from app.streams.model import TaskId
from tests.streams.properties.drawing import courses, in_order, inputs
from tests.streams.properties.recipes import ANY_LATENESS, CORES, FORGETFUL, FOREIGN, Recipe, recipes
from tests.streams.properties.world import Action, Life, World, in_order_of_flow, outcome, run

# Steps that do not make records late which were not: a crash is of no account to these topologies.
IN_PLACE = ("filter", "map_values", "twice", "rekey", "swap")


def undisturbed(recipe: Recipe, rows: list[Row]) -> World:
    """Everything is fed at once, taken and committed."""
    return run(recipe.topology(), rows, [])


@settings(max_examples=300, deadline=None)
@given(recipes(), inputs(), courses(), st.booleans())
def test_batches_and_commits_change_nothing(
    recipe: Recipe, rows: list[Row], course: list[Action], every_put: bool
) -> None:
    disturbed = run(recipe.topology(every_put=every_put), rows, course)
    assert outcome(disturbed) == outcome(undisturbed(recipe, rows))


@settings(max_examples=200, deadline=None)
@given(recipes(set(CORES) - FORGETFUL), inputs(), courses(crashes=True))
def test_crashes_change_nothing(recipe: Recipe, rows: list[Row], course: list[Action]) -> None:
    disturbed = run(recipe.topology(), rows, course)
    assert outcome(disturbed) == outcome(undisturbed(recipe, rows))


@settings(max_examples=200, deadline=None)
@given(recipes(FORGETFUL, IN_PLACE), inputs(), courses(crashes=True))
def test_crashes_change_nothing_where_nothing_is_late(recipe: Recipe, rows: list[Row], course: list[Action]) -> None:
    rows = in_order(rows)
    disturbed = run(recipe.topology(), rows, course)
    assert outcome(disturbed) == outcome(undisturbed(recipe, rows))


def table_of(world: World, topic: str) -> dict[bytes | None, Any]:
    rows = {row.key: row.value for row in world.logs.get(topic, [])}
    return {key: value for key, value in rows.items() if value is not None}


@settings(max_examples=100, deadline=None)
@given(recipes(FOREIGN), inputs(), courses(crashes=True))
def test_foreign_key_joins_come_to_the_same_table(recipe: Recipe, rows: list[Row], course: list[Action]) -> None:
    """Two tasks talk with one another there: which changes are seen on the way depends on who is faster."""
    disturbed = run(recipe.topology(), rows, course)
    assert table_of(disturbed, "out") == table_of(undisturbed(recipe, rows), "out")
