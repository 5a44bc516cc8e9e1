"""How long a persistent store keeps more than it must: segments are half a retention long, at least a minute (I3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.streams.serdes import utf8
from app.streams.stores.specs import SessionSpec, StoreSpec, WindowSpec
from tests.streams.stores.living import Living


def window(retention: int) -> StoreSpec:
    return WindowSpec(name="st", key=utf8, value=utf8, retention=retention, size=10)


def session(retention: int) -> StoreSpec:
    return SessionSpec(name="st", key=utf8, value=utf8, retention=retention)


def put(living: Living, time: int) -> None:
    if isinstance(living.spec, WindowSpec):
        living.store.put("k", "v", time)
    else:
        living.store.put("k", time, time, "v")


@pytest.mark.parametrize("kind", [window, session])
@pytest.mark.parametrize(("retention", "interval"), [(300_000, 150_000), (100_000, 60_000), (119_999, 60_000)])
def test_a_row_is_taken_until_its_segment_is_past_retention(
    kind: Callable[[int], StoreSpec], retention: int, interval: int
) -> None:
    living = Living(kind(retention))
    # The last moment at which the first segment still reaches into the retention: all of it is taken.
    put(living, interval + retention - 1)
    put(living, 0)
    put(living, interval - 1)
    assert living.ctx.dropped_records == 0
    put(living, interval + retention)
    put(living, interval - 1)
    assert living.ctx.dropped_records == 1
    put(living, interval)
    assert living.ctx.dropped_records == 1


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("kind", [window, session])
def test_what_expires_while_it_is_restored_does_not_stay(kind: Callable[[int], StoreSpec], persistent: bool) -> None:
    living = Living(replace(kind(100_000), persistent=persistent))
    for time in (0, 1_000_000):
        put(living, time)
        living.commit()
    restored = living.restarted()
    assert [int.from_bytes(prefix, "big") for prefix in restored.base.prefixes()] == [1_000_000 // 60_000]
