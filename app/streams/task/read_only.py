"""Global stores as processors see them: readable by all, written only by the processor that keeps them (H12)."""

from __future__ import annotations

from typing import Any, NoReturn

from app.streams.errors import StoreRefused

WRITES = frozenset({"put", "put_row", "put_if_absent", "put_all", "delete", "remove", "remove_row", "restore"})


class ReadOnlyStore:
    """Everything the store has, but for what changes it."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name in WRITES:
            return self._refuse
        return getattr(self._store, name)

    def _refuse(self, *_arguments: object) -> NoReturn:
        raise StoreRefused(f"global store {self._store.name} can only be read here")
