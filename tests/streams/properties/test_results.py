"""Results depend on the records alone: not on batches, on commits, on what overlaps with them, nor on crashes.

The record cache is off here, for what it forwards depends on when it is flushed, as in Java.
"""

from __future__ import annotations

from typing import Any, Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.streams.model import Row
from app.streams.stores import Base
from app.streams.stores.session import END_START
from app.streams.stores.session import SUFFIX as SESSION_SUFFIX
from app.streams.stores.specs import SessionSpec, StoreSpec, WindowSpec
from app.streams.stores.window import start_of
from tests.streams.properties.drawing import courses, inputs
from tests.streams.properties.recipes import ALL, CORES, FOREIGN, Recipe, recipes
from tests.streams.properties.world import (
    Action,
    Feed,
    Life,
    Process,
    Step,
    World,
    content,
    in_order_of_flow,
    outcome,
    run,
)

# First byte of rows that only lead to others.
INDEX: Final = 0x80


# What it evicts next depends on what was read last, and reads are in no changelog (Java forgets it as well).
ONLY_A_CACHE = {"lru"}


def disturbed(recipe: Recipe, rows: list[Row], course: list[Action], *, every_put: bool = False) -> World:
    return run(recipe.topology(every_put=every_put), recipe.rows(rows), course)


def undisturbed(recipe: Recipe, rows: list[Row]) -> World:
    """Everything is fed at once, taken and committed."""
    return disturbed(recipe, rows, [])


@settings(max_examples=300, deadline=None)
@given(recipes(), inputs(), courses(), st.booleans())
def test_batches_and_commits_change_nothing(
    recipe: Recipe, rows: list[Row], course: list[Action], every_put: bool
) -> None:
    assert outcome(disturbed(recipe, rows, course, every_put=every_put)) == outcome(undisturbed(recipe, rows))


# Two records with one key and time, the first of them committed but not applied.
SAME = [Row("a", 0, b"k", b"x", 0, ())] * 3
HALF_COMMITTED = [Feed(0, 1), Process(1), Step.SEAL, Step.CRASH_COMMITTED]


@settings(max_examples=200, deadline=None)
@example(Recipe("self-join"), SAME, HALF_COMMITTED)
@example(Recipe("lookup-grace"), SAME, HALF_COMMITTED)
@given(recipes(set(CORES) - ONLY_A_CACHE), inputs(), courses(crashes=True))
def test_crashes_change_nothing(recipe: Recipe, rows: list[Row], course: list[Action]) -> None:
    assert outcome(disturbed(recipe, rows, course)) == outcome(undisturbed(recipe, rows))


def table_of(world: World, topic: str) -> dict[bytes | None, Any]:
    rows = {row.key: row.value for row in world.logs.get(topic, [])}
    return {key: value for key, value in rows.items() if value is not None}


@settings(max_examples=100, deadline=None)
@given(recipes(FOREIGN), inputs(), courses(crashes=True))
def test_foreign_key_joins_come_to_the_same_table(recipe: Recipe, rows: list[Row], course: list[Action]) -> None:
    """Two tasks talk with one another there: which changes are seen on the way depends on who is faster."""
    assert table_of(disturbed(recipe, rows, course), "out") == table_of(undisturbed(recipe, rows), "out")


@settings(max_examples=150, deadline=None)
@given(recipes(ALL), inputs(), courses())
def test_a_store_restored_from_its_changelog_is_the_store(
    recipe: Recipe, rows: list[Row], course: list[Action]
) -> None:
    world = disturbed(recipe, rows, course)
    lost = World(world.topology, world.logs, world.offsets)
    for part in in_order_of_flow(world.topology):
        Life(lost, part)
    for store, base in world.bases.items():
        spec, restored = world.topology.stores[store], lost.bases[store]
        # A logged deletion from a store of doubles moves time when it is restored, but did not when it was put.
        now = max(base.marks().stream_time, restored.marks().stream_time)
        assert alive(spec, restored, now) == alive(spec, base, now), store


def alive(spec: StoreSpec, base: Base, now: int) -> list[tuple[bytes, bytes]]:
    """Rows that are not past retention. Numbers that only tell doubles apart are left out: a restored store takes
    those of the changelog, where deletions have numbers too."""
    rows = list(base.scan(None, None))
    if isinstance(spec, WindowSpec):
        rows = [row for row in rows if row[0][0] < INDEX and start_of(row[0]) > now - spec.retention]
        return [(row[:-4], value) for row, value in rows] if spec.retain_duplicates else rows
    if isinstance(spec, SessionSpec):
        return [row for row in rows if row[0][0] < INDEX and end_of(row[0]) > now - spec.retention]
    return content(spec, base)[0]


def end_of(row: bytes) -> int:
    end: int = END_START.unpack_from(row, len(row) - SESSION_SUFFIX)[0]
    return end


@settings(max_examples=100, deadline=None)
@given(recipes(), inputs(), st.lists(st.builds(Feed, st.integers(0, 3), st.integers(1, 9)), max_size=30))
def test_polls_may_bring_the_partitions_in_any_interleaving(recipe: Recipe, rows: list[Row], feeds: list[Feed]) -> None:
    assert outcome(disturbed(recipe, rows, [*feeds])) == outcome(undisturbed(recipe, rows))
