"""Local state on disk: a directory per process, a task's stores in one LMDB environment, and proof that they fit.

Slot         `<state dir>/<application id>/<slot>`, held by one process; keeps its instance id
TaskState    the stores of one task: opened, or moved aside when they cannot be trusted
LmdbBase     one store's committed rows: what `app.streams.stores` stand on
"""

from app.state.directory import Slot, take_slot
from app.state.faults import StateDamaged, StateRefused, StateUnwritable
from app.state.lmdb_base import BaseStatistics, LmdbBase
from app.state.metadata import Expected
from app.state.task_state import Limits, TaskState, open_task_state

__all__ = [
    "BaseStatistics",
    "Expected",
    "Limits",
    "LmdbBase",
    "Slot",
    "StateDamaged",
    "StateRefused",
    "StateUnwritable",
    "TaskState",
    "open_task_state",
    "take_slot",
]
