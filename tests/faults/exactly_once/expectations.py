"""What the topology must have written, computed from the logs that it read, by means of its own."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.logs import Headers, Logged, Written

decode_event = msgspec.json.Decoder(of.Event).decode
encode = msgspec.json.encode
_long = struct.Struct(">q").pack


@dataclass
class Told:
    """Outputs by name, in the order of their coming, and what stores hold in the end: changelog key → row."""

    outputs: dict[str, list[Written]] = field(default_factory=lambda: defaultdict(list))
    stores: dict[str, dict[bytes, Written]] = field(default_factory=lambda: defaultdict(dict))
    histories: dict[str, list[Written]] = field(default_factory=dict)
    """Every row that a store ever held: of each key the changelog has some of them, in this order. Without headers."""


@dataclass(frozen=True)
class Input:
    key: bytes
    event: of.Event
    value: bytes
    timestamp: int
    headers: Headers


def inputs_of(log: Iterable[Logged]) -> list[Input]:
    rows = []
    for row in log:
        if row.key is None or row.value is None:
            raise ValueError(f"an input without key or value at offset {row.offset}")
        rows.append(Input(row.key, decode_event(row.value), row.value, row.timestamp, row.headers))
    return rows


class Folded:
    """One value per key, with the latest time that it was made from."""

    def __init__(self) -> None:
        self.rows: dict[bytes, tuple[int, int]] = {}

    def put(self, key: bytes, value: int, row: Input) -> Written:
        timestamp = max(row.timestamp, self.rows.get(key, (0, row.timestamp))[1])
        self.rows[key] = value, timestamp
        return Written(key, _long(value), timestamp, row.headers)

    def add(self, key: bytes, amount: int, row: Input) -> Written:
        return self.put(key, self.value(key) + amount, row)

    def value(self, key: bytes) -> int:
        return self.rows[key][0] if key in self.rows else 0

    def store(self, suffix: bytes = b"") -> dict[bytes, Written]:
        return {key + suffix: Written(key + suffix, _long(value), time) for key, (value, time) in self.rows.items()}


_WINDOW_SUFFIX = bytes(4)
"""The number that a window store's key ends with."""


def tell_left(rows: Sequence[Input]) -> Told:
    """What one partition of the left input leads to by itself."""
    told = Told()
    counts, sums, minima, windows = Folded(), Folded(), Folded(), Folded()
    out = told.outputs
    for row in rows:
        if of.is_echoed(row.event):
            out[of.ECHO].append(Written(row.key, row.value, row.timestamp, row.headers))
        count = counts.add(row.key, 1, row)
        out[of.COUNTS].append(count)
        out[of.ODDS].append(count if of.is_odd(counts.value(row.key)) else count._replace(value=None))
        out[of.SUMS].append(sums.add(row.key, row.event.amount, row))
        least = min(minima.value(row.key), row.event.amount) if row.key in minima.rows else row.event.amount
        out[of.MINIMA].append(minima.put(row.key, least, row))
        out[of.WINDOWS].append(windows.add(_windowed(row), 1, row))
    latest = max((row.timestamp for row in rows), default=0)
    out[of.FINALS] = [
        Written(key, _long(count), time)
        for key, (count, time) in windows.rows.items()
        if int.from_bytes(key[-8:], "big") + of.WINDOW_MS + of.GRACE_MS <= latest
    ]
    told.stores |= {"counts": counts.store(), "sums": sums.store(), "minima": minima.store()}
    told.stores |= {"windows": windows.store(_WINDOW_SUFFIX), "finals": windows.store(_WINDOW_SUFFIX)}
    told.stores["odds"] = {row.key or b"": _bare(row) for row in out[of.ODDS]}
    told.stores["pairs-this-join"] = _kept_for_join(rows)
    told.histories = {name: list(map(_bare, out[name])) for name in (of.COUNTS, of.ODDS, of.SUMS, of.MINIMA)}
    told.histories["windows"] = told.histories["finals"] = list(map(_in_window_store, out[of.WINDOWS]))
    return told


def tell_right(rows: Sequence[Input]) -> Told:
    told = Told()
    counts = Folded()
    told.histories["right-counts"] = [_bare(counts.add(row.key, 1, row)) for row in rows]
    told.histories["latest"] = [Written(row.key, row.value, row.timestamp) for row in rows]
    told.stores["latest"] = {row.key or b"": row for row in told.histories["latest"]}
    told.stores["right-counts"] = counts.store()
    told.stores["pairs-other-join"] = _kept_for_join(rows)
    return told


def tell_group(rows: Sequence[Input]) -> Told:
    """What one partition of the repartition topic leads to; the keys are groups."""
    told = Told()
    counts, sums, windows = Folded(), Folded(), Folded()
    for row in rows:
        told.outputs[of.GROUP_COUNTS].append(counts.add(row.key, 1, row))
        told.outputs[of.GROUP_SUMS].append(sums.add(row.key, row.event.amount, row))
        told.outputs[of.GROUP_WINDOWS].append(windows.add(_windowed(row), 1, row))
    told.stores |= {"group-counts": counts.store(), "group-sums": sums.store()}
    told.stores["group-windows"] = windows.store(_WINDOW_SUFFIX)
    told.histories = {name: list(map(_bare, told.outputs[name])) for name in (of.GROUP_COUNTS, of.GROUP_SUMS)}
    told.histories["group-windows"] = list(map(_in_window_store, told.outputs[of.GROUP_WINDOWS]))
    return told


def tell_pairs(left: Sequence[Input], right: Sequence[Input]) -> list[Written]:
    """Each two of one key that lie close enough, in no order."""
    others: Mapping[bytes, list[Input]] = _by_key(right)
    times = {key: [row.timestamp for row in rows] for key, rows in others.items()}
    pairs = []
    for one in left:
        if one.key not in times:
            continue
        first = bisect_left(times[one.key], one.timestamp - of.JOIN_MS)
        last = bisect_right(times[one.key], one.timestamp + of.JOIN_MS)
        for other in others[one.key][first:last]:
            value = encode(of.Pair(one.event.n, other.event.n))
            pairs.append(Written(one.key, value, max(one.timestamp, other.timestamp)))
    return pairs


def tell_regrouped(rows: Sequence[Input], partition_of: Mapping[bytes, int]) -> dict[int, list[Written]]:
    """By partition of the repartition topic."""
    regrouped: dict[int, list[Written]] = defaultdict(list)
    for row in rows:
        group = of.group_of(row.event).encode()
        regrouped[partition_of[group]].append(Written(group, row.value, row.timestamp, row.headers))
    return regrouped


def _bare(row: Written) -> Written:
    return row._replace(headers=())


def _in_window_store(row: Written) -> Written:
    return Written((row.key or b"") + _WINDOW_SUFFIX, row.value, row.timestamp)


def _windowed(row: Input) -> bytes:
    return row.key + _long(row.timestamp - row.timestamp % of.WINDOW_MS)


def _by_key(rows: Sequence[Input]) -> dict[bytes, list[Input]]:
    found: dict[bytes, list[Input]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.timestamp):
        found[row.key].append(row)
    return found


def _kept_for_join(rows: Sequence[Input]) -> dict[bytes, Written]:
    """Without the number behind key and time, which begins anew with each owner: no key has two inputs of one time."""
    keys = [row.key + _long(row.timestamp) for row in rows]
    return {key: Written(key, row.value, row.timestamp) for key, row in zip(keys, rows, strict=True)}
