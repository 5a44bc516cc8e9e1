"""What an overlay remembers of the base."""

from __future__ import annotations

import pytest

from app.streams.serdes import utf8
from app.streams.stores import overlay
from app.streams.stores.base import Marks
from app.streams.stores.memory import MemoryBase
from app.streams.stores.specs import KeyValueSpec
from tests.streams.stores.living import Living


def test_rows_that_were_read_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two commits a task may read a whole table, and at-least-once commits are far apart."""
    monkeypatch.setattr(overlay, "_MOST_READ", 10)
    living = Living(KeyValueSpec(name="st", key=utf8, value=utf8))
    for at in range(100):
        living.store.put(f"{at}", f"v{at}")
    living.commit()
    living.crash()
    for at in range(100):
        assert living.store.get(f"{at}") == f"v{at}"
        assert living.store.overlay.remembered <= 11


def test_rows_just_written_are_remembered_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "_MOST_READ", 10)
    living = Living(KeyValueSpec(name="st", key=utf8, value=utf8))
    for at in range(100):
        living.store.put(f"{at}", f"v{at}")
    living.commit()
    living.crash()
    for at in range(50):
        living.store.put(f"{at}", "new")
    living.commit()
    for at in range(50, 60):
        assert living.store.get(f"{at}") == f"v{at}"
    assert living.store.overlay.remembered == 60


def test_rows_found_by_their_group_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "_MOST_READ", 10)
    base = MemoryBase(suffix=2)
    base.apply([(f"{at:03}".encode(), b"v") for at in range(100)], Marks())
    rows = overlay.Overlay(base, lambda data: (data,), suffix=2)
    for _ in range(2):
        assert len(rows.group(b"0", b"00", b"99")) == 99
        assert rows.remembered <= 10
