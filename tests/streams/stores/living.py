"""A store with everything around it that a task would give it: commits, crashes, a changelog, a restart."""

from typing import Any

from app.streams.context import Context
from app.streams.model import Row, TaskId
from app.streams.stores import RecordCache, open_store
from app.streams.stores.base import Base
from app.streams.stores.opening import memory_base
from app.streams.stores.specs import StoreSpec


class Living:
    """`store` is the current one: a crash throws it away and makes another over the same committed rows."""

    def __init__(self, spec: StoreSpec, *, every_put: bool = False, logged: bool = True, cache_bytes: int = 0) -> None:
        self.spec = spec
        self.cache_bytes = cache_bytes
        self.every_put = every_put
        self.logged = logged
        self.ctx = Context("app", TaskId(0, 0))
        self.ctx.topic, self.ctx.partition, self.ctx.offset = "in", 0, 0
        self.base: Base = memory_base(spec)
        # What has become durable.
        self.changelog: list[Row] = []
        self._sealed: list[Row] | None = None
        self.store = self._open()

    def _open(self) -> Any:
        return open_store(
            self.spec,
            self.base,
            self.ctx,
            subject="app-st-changelog",
            changelog="app-st-changelog" if self.logged else None,
            partition=0,
            every_put=self.every_put,
            cache=RecordCache(self.cache_bytes) if self.cache_bytes else None,
        )

    @property
    def sent(self) -> list[Row]:
        """At once, and not yet taken by a seal."""
        return [Row._make(each) for each in self.ctx.outputs]

    def seal(self) -> None:
        self.store.flush()
        sent = self.sent
        self.ctx.outputs.clear()
        self._sealed = sent + self.store.seal()

    def applied(self) -> None:
        assert self._sealed is not None
        self.changelog += self._sealed
        self._sealed = None
        self.store.applied(len(self.changelog))

    def commit(self) -> list[Row]:
        self.seal()
        rows = list(self._sealed or ())
        self.applied()
        return rows

    @property
    def is_sealed(self) -> bool:
        return self._sealed is not None

    def crash(self) -> None:
        """All that was not applied is gone."""
        self._sealed = None
        self.ctx.outputs.clear()
        self.store = self._open()

    def restarted(self) -> "Living":
        """Another process, its disk empty, with the changelog alone."""
        other = Living(self.spec, every_put=self.every_put, logged=self.logged, cache_bytes=self.cache_bytes)
        other.changelog = list(self.changelog)
        other.store.restore([(row.key, row.value, row.timestamp or 0, row.headers) for row in self.changelog], 7)
        return other


def last_rows(rows: list[Row]) -> dict[bytes | None, tuple[bytes | None, int | None]]:
    """The last row of each key: what compaction leaves."""
    return {row.key: (row.value, row.timestamp) for row in rows}
