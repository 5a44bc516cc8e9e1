"""Who this process is over its restarts: the slot of the state directory it holds, and the instance id kept there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.state import Slot, take_slot


@dataclass(frozen=True, slots=True)
class Identity:
    """slot: where committed rows are kept; None: in memory, and the instance is a new one at each start."""

    instance: uuid.UUID
    slot: Slot | None = None

    def transactional_id(self, application_id: str) -> str:
        """One for all tasks of the process: its next life settles what this one leaves open."""
        return f"{application_id}-{self.instance}"


@contextmanager
def identified(state_dir: Path | None, application_id: str) -> Iterator[Identity]:
    """For as long as the block lasts nobody else is it. state_dir None: nothing is kept on disk."""
    if state_dir is None:
        yield Identity(uuid.uuid4())
        return
    with take_slot(state_dir, application_id) as slot:
        yield Identity(slot.instance, slot)
