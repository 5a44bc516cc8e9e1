"""How long a persistent store keeps more than it must: segments are half a retention long, at least a minute (I3)."""

from __future__ import annotations

from collections.abc import Callable

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
