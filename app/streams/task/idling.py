"""May a task go on although one of its partitions has nothing to offer? (reference §3, `max.task.idle.ms`)"""

from __future__ import annotations

from collections.abc import Iterable

from app.streams.task.queue import PartitionQueue


def may_process(queues: Iterable[PartitionQueue], max_idle: int, now: int) -> bool:
    """max_idle in ms: -1 never wait; 0 wait for what is, or may be, on the broker; more: wait that long besides."""
    if max_idle < 0:
        return True
    go = True
    for queue in queues:
        if queue.rows or queue.head is not None:
            queue.idle_since = None
        elif queue.lag is None or queue.lag > 0:
            # Not asked yet, or its records are on their way: they may be older than what waits here.
            queue.idle_since = None
            go = False
        elif max_idle > 0:
            if queue.idle_since is None:
                queue.idle_since = now
            go = go and now - queue.idle_since >= max_idle
    return go
