"""What a straight run gives, computed from the input alone: outputs, stores, partition times."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.takeover.topology import REACH, WINDOW


class Sent(NamedTuple):
    """An input record; `side` is "left" or "right". Times of one key and side differ, else join rows share a key."""

    side: str
    key: str
    value: str
    timestamp: int


@dataclass(frozen=True)
class Expected:
    """Each count must come out as 1, 2, … n; each pair once. Stores map raw keys to (raw value, timestamp)."""

    counts: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    counted: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    windowed: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    joinable: dict[str, Counter[tuple[bytes, bytes]]] = field(default_factory=dict)

    def total(self) -> int:
        """Records of all three outputs."""
        return self.counts.total() + self.windows.total() + self.pairs.total()


def expected(sent: Iterable[Sent]) -> Expected:
    result = Expected(joinable={"left": Counter(), "right": Counter()})
    others: dict[tuple[str, str], list[Sent]] = defaultdict(list)
    for each in sent:
        result.joinable[each.side][each.key.encode() + long(each.timestamp), each.value.encode()] += 1
        for other in others["right" if each.side == "left" else "left", each.key]:
            if abs(each.timestamp - other.timestamp) <= REACH:
                left, right = (each, other) if each.side == "left" else (other, each)
                result.pairs[each.key, f"{left.value}+{right.value}"] += 1
        others[each.side, each.key].append(each)
        if each.side == "left":
            _count(result, each)
    return result


def _count(result: Expected, each: Sent) -> None:
    raw = each.key.encode()
    result.counts[each.key] += 1
    result.counted[raw] = _updated(result.counted.get(raw), each.timestamp)
    group, start = each.key[-1], each.timestamp - each.timestamp % WINDOW
    result.windows[f"{group}@{start}"] += 1
    # a window store's key: the key, the start, and a sequence number that is 0
    raw = group.encode() + long(start) + bytes(4)
    result.windowed[raw] = _updated(result.windowed.get(raw), each.timestamp)


def _updated(old: tuple[bytes, int] | None, timestamp: int) -> tuple[bytes, int]:
    """One more, and the newer of the two times."""
    if old is None:
        return long(1), timestamp
    return long(int.from_bytes(old[0], "big") + 1), max(old[1], timestamp)


def long(number: int) -> bytes:
    return number.to_bytes(8, "big")
