"""State: stores over committed rows, as data on the topology (`specs`) and alive (`open_store`)."""

from app.streams.stores.base import Base, Marks
from app.streams.stores.memory import MemoryBase
from app.streams.stores.opening import AnyStore, key_layout, memory_base, open_store
from app.streams.stores.record_cache import RecordCache
from app.streams.stores.store import Restored, Store, StoreStatistics

__all__ = [
    "AnyStore",
    "Base",
    "Marks",
    "MemoryBase",
    "RecordCache",
    "Restored",
    "Store",
    "StoreStatistics",
    "key_layout",
    "memory_base",
    "open_store",
]
