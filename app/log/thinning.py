"""Decides which records of the libraries below us are shown, how loud, and how often.

aiokafka writes some seventy lines a second while a broker is away; our own clients say the same in one line per
back-off step. So what it says of an outage becomes DEBUG, and nothing of it, of uvicorn or of asyncio is repeated more
often than once in `WINDOW_S`; the line that comes after a silence says how many were left out.
"""

from collections import OrderedDict
from logging import DEBUG, INFO, WARNING

WINDOW_S = 30.0
_MOST_KEYS = 512  # a template that is not constant must not make this grow

Key = tuple[str, str]
"""Logger name and message template."""

_LIBRARIES = ("aiokafka", "uvicorn", "asyncio")

OUTAGE_CHATTER = frozenset({
    'Unable connect to "%s:%s": %s',
    'Unable to request metadata from "%s:%s": %s',
    "Unable to request metadata from node with id %s: %r",
    "Unable to update metadata from %s",
    "Unable connect to node with id %s: %s",
    "No broker metadata found in MetadataResponse -- ignoring.",
    "Topic %s is not available during auto-create initialization",
    "Failed fetch messages from %s: %s",
    "Failed fetch offsets from %s: %s",
    "Attempt to fetch offsets for partition %s failed due to: %s",
    "Marking the coordinator dead (node %s)for group %s.",
    "Heartbeat failed for group %s: coordinator (node %s) is either not started or not valid",
    "Heartbeat failed for group %s because it is rebalancing",
    "Heartbeat session expired - marking coordinator dead",
    "Heartbeat send request failed: %s. Will retry.",
    "Error sending %s to node %s [%s] -- marking coordinator dead",
    "Group Coordinator Request failed: %s",
    "LeaveGroup request failed: %s",
    "FindCoordinator Request failed: %s",
    "OffsetCommit failed for group %s on partition %s due to %s, will retry",
    "OffsetCommit failed for group %s because group is initializing (%s), will retry",
    "OffsetCommit failed for group %s due to a coordinator error (%s), will find new coordinator and retry",
    "Cannot send %r to %s: %r",
    "Could not send %r: %r",
    "Got error produce response: %s",
    "Got error produce response on topic-partition %s, retrying. Error: %s",
})  # fmt: skip

LOST_RECORDS = frozenset({"Fetch offset %s is out of range for partition %s, resetting offset"})
"""Said at INFO by aiokafka, though it skips or repeats records."""


def is_library(name: str) -> bool:
    return name.partition(".")[0] in _LIBRARIES


def grade(name: str, template: str, level: int) -> int:
    """The level that a record deserves in our log."""
    if template in LOST_RECORDS:
        return max(level, WARNING)
    if template in OUTAGE_CHATTER and name.startswith("aiokafka"):
        return DEBUG
    # What they do while all is well (joined, subscribed, shutting down) our own lines say already.
    return DEBUG if level == INFO and is_library(name) else level


class Thinning:
    """At most one record per key and window; counts the others."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._shown: OrderedDict[Key, float] = OrderedDict()
        self._left_out: dict[Key, int] = {}

    def admit(self, key: Key, now: float) -> int | None:
        """None: leave it out. Else show it, and say that so many like it were left out since the last one."""
        since = self._shown.get(key)
        if since is not None and now - since < self._window_s:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return None
        self._shown[key] = now
        self._shown.move_to_end(key)
        if len(self._shown) > _MOST_KEYS:
            oldest, _ = self._shown.popitem(last=False)
            self._left_out.pop(oldest, None)
        return self._left_out.pop(key, 0)

    def expired(self, now: float) -> list[tuple[Key, int]]:
        """Keys whose window is over while some of theirs were left out; each is told once."""
        over = [key for key in self._left_out if now - self._shown[key] >= self._window_s]
        return [(key, self._left_out.pop(key)) for key in over]
