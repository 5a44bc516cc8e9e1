"""A topic, or a stream, as a table (E1-E4; Java: KTableSource)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.streams.model import Forward
from app.streams.tables.keeping import keeper
from app.streams.tables.views import StoreView
from app.streams.topology.runtime import Runtime


@dataclass(frozen=True, slots=True)
class TableSourceOperator:
    """Takes plain records, gives changes. Offset order wins, not time (E2); no change is held back (E3, E4)."""

    store: str | None
    send_old: bool

    def compile(self, runtime: Runtime, forward: Forward) -> Forward:
        dropped = runtime.ctx.dropped
        if self.store is None:

            def pass_on(key: Any, value: Any) -> None:
                if key is None:
                    dropped()
                    return
                forward(key, (value, None, True))

            return pass_on

        keep = keeper(runtime.store(self.store), runtime.ctx, forward, send_old=self.send_old)
        if not self.send_old:

            def keep_new(key: Any, value: Any) -> None:
                if key is None:
                    dropped()
                    return
                keep(key, value, None)

            return keep_new

        get = StoreView(self.store).open(runtime)

        def keep_both(key: Any, value: Any) -> None:
            if key is None:
                dropped()
                return
            old = get(key)
            keep(key, value, None if old is None else old[0])

        return keep_both
