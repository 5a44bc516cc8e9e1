"""What a store makes of changelog rows that were committed but not applied when its task died."""

from __future__ import annotations

from app.streams.model import Row
from app.streams.serdes import utf8
from app.streams.stores.specs import GraceSpec, StoreSpec, WindowSpec
from tests.streams.stores.living import Living

DOUBLES = [
    WindowSpec(name="st", key=utf8, value=utf8, retention=1_000, size=10, retain_duplicates=True, persistent=persistent)
    for persistent in (True, False)
]


def died_before_applied(living: Living, rows: list[Row]) -> None:
    """The commit went through, so its rows are on the changelog; the base knows nothing of it."""
    living.changelog += rows
    living.crash()
    caught_up = [(row.key, row.value, row.timestamp or 0, row.headers) for row in rows]
    living.store.restore(caught_up, len(living.changelog))


def begun(spec: StoreSpec) -> Living:
    living = Living(spec)
    living.store.restore([], 0)
    living.ctx.timestamp = 5
    return living


def test_a_store_of_doubles_gives_no_number_twice() -> None:
    for spec in DOUBLES:
        living = begun(spec)
        living.store.put("k", "first", 5)
        living.store.put("k", None, 5)
        died_before_applied(living, living.store.seal())
        living.store.put("k", "second", 5)
        assert [value for _, value in living.store.fetch("k", 5, 5)] == ["first", "second"]
        (row,) = living.commit()
        assert row.key == b"k" + (5).to_bytes(8, "big") + (3).to_bytes(4, "big")
        assert [value for _, value in living.store.fetch("k", 5, 5)] == ["first", "second"]


def test_a_deletion_among_doubles_does_not_move_time_then_either() -> None:
    living = begun(DOUBLES[0])
    living.store.put("k", "first", 5)
    living.store.put("k", None, 900_000)
    died_before_applied(living, living.store.seal())
    assert living.store.stream_time == 5
    assert [value for _, value in living.store.fetch("k", 5, 5)] == ["first"]


def test_a_grace_buffer_gives_no_number_twice() -> None:
    living = begun(GraceSpec(name="st", key=utf8, value=utf8, grace=10))
    assert living.store.put("k", "first")
    died_before_applied(living, living.store.seal())
    assert living.store.put("k", "second")
    living.ctx.timestamp = 15
    assert living.store.put("l", "later")
    assert [due.value for due in living.store.evict()] == ["first", "second"]
