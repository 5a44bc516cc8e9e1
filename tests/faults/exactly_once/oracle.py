"""Judges what was committed: every output, intermediate ones included, the repartition rows, the changelogs.

Compared record by record, in order, with timestamps and headers: echo, counts, odds (tombstones among them), sums,
minima, windows; regrouped rows for each pair of partitions they went between; and, computed from the regrouped rows as
the topology read them, the group outputs. Compared as sets, each exactly once: joined pairs (either side may come
first, and the headers are of that which comes last) and final results (the wall clock says when they are handed on, a
window never before an earlier one). Judged as paths, for any order in which the two inputs of a task may meet: pairs,
whose every row has the newest record of one side; look-ups, which must see the table move on and never back; progress,
whose every row is one step beyond the row before. Of a changelog every row, in its order, is one that the store held.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from aiokafka.partitioner import murmur2

from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.expectations import (
    Input,
    Told,
    inputs_of,
    tell_group,
    tell_left,
    tell_pairs,
    tell_regrouped,
    tell_right,
)
from tests.faults.exactly_once.findings import Finding, Kind, compare, missing
from tests.faults.exactly_once.logs import Logged, Logs, Written

_decode_pair = msgspec.json.Decoder(of.Pair).decode

KEY_STORES = ("counts", "odds", "sums", "minima", "windows", "finals", "latest", "right-counts")
JOIN_STORES = ("pairs-this-join", "pairs-other-join")
GROUP_STORES = ("group-counts", "group-sums", "group-windows")


@dataclass(frozen=True)
class Verdict:
    findings: tuple[Finding, ...]
    inputs: int
    compared: int
    """Records of outputs, repartition topic and changelogs."""
    kept: int = 0
    """Rows on disk that were compared."""


def topics_to_read(names: of.Names) -> dict[str, int]:
    """Topic → its partitions."""
    wide = [*map(names.topic, (*of.INPUTS, *of.KEY_OUTPUTS)), *_changelogs(names, (*KEY_STORES, *JOIN_STORES))]
    narrow = [names.repartition, *map(names.topic, of.GROUP_OUTPUTS), *_changelogs(names, GROUP_STORES)]
    return dict.fromkeys(wide, of.PARTITIONS) | dict.fromkeys(narrow, of.GROUP_PARTITIONS)


def judge(names: of.Names, logs: Logs, *, exactly_once: bool) -> Verdict:
    read = sum(logs.count([names.topic(side)]) for side in of.INPUTS)
    written = [topic for topic in topics_to_read(names) if topic not in map(names.topic, of.INPUTS)]
    trial = _Trial(names, logs)
    findings = trial.exactly_once() if exactly_once else trial.at_least_once()
    return Verdict(tuple(findings), read, logs.count(written))


def partition_of(key: bytes, partitions: int) -> int:
    """Of a record with this key, as Kafka's producers choose it."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class _Trial:
    def __init__(self, names: of.Names, logs: Logs) -> None:
        self.names = names
        self.logs = logs
        self.left = [inputs_of(self._log(of.LEFT, number)) for number in range(of.PARTITIONS)]
        self.right = [inputs_of(self._log(of.RIGHT, number)) for number in range(of.PARTITIONS)]
        self.told_left = list(map(tell_left, self.left))
        self.told_right = list(map(tell_right, self.right))

    def exactly_once(self) -> Iterator[Finding]:
        for number in range(of.PARTITIONS):
            left, right = self.told_left[number], self.told_right[number]
            for output in (of.ECHO, of.COUNTS, of.ODDS, of.SUMS, of.MINIMA, of.WINDOWS):
                yield from self._compared(output, number, left)
            finals = [row.bare for row in self._log(of.FINALS, number)]
            yield from compare(f"{of.FINALS}-{number}", left.outputs[of.FINALS], finals, ordered=False)
            yield from _closing(f"{of.FINALS}-{number}", finals)
            sides = self.left[number], self.right[number]
            found = [row.bare for row in self._log(of.PAIRS, number)]
            yield from compare(f"{of.PAIRS}-{number}", tell_pairs(*sides), found, ordered=False)
            yield from meetings(*sides, found, number)
            yield from lookups(*sides, self._log(of.LOOKUPS, number), number)
            yield from progress(*sides, self._log(of.PROGRESS, number), number)
            yield from self._stores(number, left)
            yield from self._stores(number, right)
        for number in range(of.GROUP_PARTITIONS):
            yield from self._regrouped(number)
            told = tell_group(inputs_of(self._log(of.REGROUPED, number)))
            for output in (of.GROUP_COUNTS, of.GROUP_SUMS, of.GROUP_WINDOWS):
                yield from self._compared(output, number, told)
            yield from self._stores(number, told)

    def at_least_once(self) -> Iterator[Finding]:
        """Nothing is lost; what was worked on twice may have been counted twice."""
        for number in range(of.PARTITIONS):
            left = self.told_left[number]
            yield from missing(f"{of.ECHO}-{number}", left.outputs[of.ECHO], self._log(of.ECHO, number))
            pairs = tell_pairs(self.left[number], self.right[number])
            yield from missing(f"{of.PAIRS}-{number}", pairs, [row.bare for row in self._log(of.PAIRS, number)])
            yield from self._at_least(of.COUNTS, number, left)
            yield from self._at_least(of.SUMS, number, left)
            yield from self._at_least(of.WINDOWS, number, left)
            yield from self._at_least(of.MINIMA, number, left, exact=True)
        for number in range(of.GROUP_PARTITIONS):
            due = [row for source in self._sources(number) for row in source]
            yield from missing(f"{of.REGROUPED}-{number}", due, self._log(of.REGROUPED, number))
            told = tell_group(list(map(_as_input, due)))
            yield from self._at_least(of.GROUP_COUNTS, number, told)
            yield from self._at_least(of.GROUP_SUMS, number, told)

    def _log(self, name: str, partition: int) -> list[Logged]:
        return self.logs.of(self.names.topic(name), partition)

    def _compared(self, output: str, partition: int, told: Told) -> list[Finding]:
        return compare(f"{output}-{partition}", told.outputs[output], self._log(output, partition))

    def _sources(self, partition: int) -> list[list[Written]]:
        """What each input partition sends to this one of the repartition topic."""
        groups = {f"g{number}".encode() for number in range(of.GROUPS)}
        chosen = {group: partition_of(group, of.GROUP_PARTITIONS) for group in groups}
        return [tell_regrouped(rows, chosen)[partition] for rows in self.left]

    def _regrouped(self, partition: int) -> Iterator[Finding]:
        """Per input partition in its order; and the topic's rows that are not yet purged are the last of them."""
        regrouped = self._log(of.REGROUPED, partition)
        by_source: dict[int, list[Logged]] = defaultdict(list)
        for row, given in zip(regrouped, inputs_of(regrouped), strict=True):
            by_source[given.event.source].append(row)
        for source, due in enumerate(self._sources(partition)):
            yield from compare(f"{of.REGROUPED}-{partition} of {source}", due, by_source.pop(source, []))
        for rows in by_source.values():
            yield from compare(f"{of.REGROUPED}-{partition} of nowhere", [], rows)
        kept = self.logs.of(self.names.repartition, partition)
        read = [row.written for row in regrouped]
        since = read.index(kept[0].written) if kept and kept[0].written in read else 0
        yield from compare(f"{of.GROUP}-{partition}", read[since:] if kept else [], kept)

    def _stores(self, partition: int, told: Told) -> Iterator[Finding]:
        for store, rows in told.stores.items():
            where = f"{store}-changelog-{partition}"
            history = [row.bare for row in self.logs.of(changelog(self.names, store), partition)]
            if store in told.histories:
                yield from _held(where, told.histories[store], history)
            cut = -4 if store in JOIN_STORES else None
            last = {key[:cut]: row._replace(key=key[:cut]) for row in history if (key := row.key) is not None}
            yield from compare(where, list(rows.values()), list(last.values()), ordered=False)

    def _at_least(self, output: str, partition: int, told: Told, *, exact: bool = False) -> Iterator[Finding]:
        """The last result of each key: not less than it would be without a repetition."""
        last = {row.key: row for row in self._log(output, partition)}
        due = {row.key: row for row in told.outputs[output]}
        for key, row in due.items():
            found = last.get(key)
            if found is None or _number(found.value) < _number(row.value):
                yield Finding(Kind.LOST, f"{output}-{partition}", key, row, found)
            elif exact and found.value != row.value:
                yield Finding(Kind.DIFFERENT, f"{output}-{partition}", key, row, found.written, found.offset)


def meetings(left: Sequence[Input], right: Sequence[Input], found: Sequence[Logged], number: int) -> Iterator[Finding]:
    """A pair is handed on when the later of the two is worked on: nothing behind it has been, on its side."""
    places = [{row.event.n: index for index, row in enumerate(rows)} for rows in (left, right)]
    newest = -1, -1
    for row in found:
        pair = _decode_pair(row.value or b"")
        here = places[0].get(pair.left, -1), places[1].get(-1 if pair.right is None else pair.right, -1)
        if here[0] < newest[0] and here[1] < newest[1]:
            expected = f"one of a pair at {newest} or behind"
            yield Finding(Kind.DIFFERENT, f"{of.PAIRS}-{number}", row.key, expected, here, row.offset)
        newest = max(newest[0], here[0]), max(newest[1], here[1])


def lookups(left: Sequence[Input], right: Sequence[Input], found: Sequence[Logged], number: int) -> Iterator[Finding]:
    """Each left record once, in order, beside a row of the table that is never older than the one seen before."""
    where = f"{of.LOOKUPS}-{number}"
    place = {(row.key, row.event.n): index for index, row in enumerate(right)}
    seen: dict[bytes | None, int] = {}
    bare: list[Logged] = []
    for row in found:
        pair = _decode_pair(row.value or b"")
        bare.append(row._replace(value=b"%d" % pair.left))
        if pair.right is None:
            at = -1
        elif (row.key or b"", pair.right) not in place:
            yield Finding(Kind.DIFFERENT, where, row.key, "a row of the table", pair, row.offset)
            continue
        else:
            at = place[row.key or b"", pair.right]
        if at < seen.get(row.key, -1):
            yield Finding(Kind.DIFFERENT, where, row.key, right[seen[row.key]].event, pair, row.offset)
        seen[row.key] = at
    yield from compare(where, [Written(row.key, b"%d" % row.event.n, row.timestamp, row.headers) for row in left], bare)


def progress(left: Sequence[Input], right: Sequence[Input], found: Sequence[Logged], number: int) -> Iterator[Finding]:
    """Per key, from the first row in which both have come one step at a time to the row in which both have ended."""
    where = f"{of.PROGRESS}-{number}"
    times = _running_times(left), _running_times(right)
    by_key: dict[bytes, list[Logged]] = defaultdict(list)
    for row in found:
        by_key[row.key or b""].append(row)
    for key in times[0].keys() | times[1].keys() | by_key.keys():
        ends = len(times[0].get(key, ())), len(times[1].get(key, ()))
        steps: set[tuple[int, int]] = set()
        before: tuple[int, int] | None = None
        for row in by_key[key]:
            pair = _decode_pair(row.value or b"")
            here = pair.left, pair.right or 0
            if not (1 <= here[0] <= ends[0] and 1 <= here[1] <= ends[1]):
                yield Finding(Kind.DIFFERENT, where, key, f"at most {ends}", here, row.offset)
                continue
            due = max(times[0][key][here[0] - 1], times[1][key][here[1] - 1])
            if here in steps:
                yield Finding(Kind.DOUBLED, where, key, here, here, row.offset)
            elif not _follows(before, here):
                yield Finding(Kind.LOST, where, key, f"a step from {before}", here, row.offset)
            elif row.timestamp != due:
                yield Finding(Kind.DIFFERENT, where, key, due, row.timestamp, row.offset)
            steps.add(here)
            before = here
        if min(ends) and before != ends:
            yield Finding(Kind.LOST, where, key, ends, before)


def _follows(before: tuple[int, int] | None, here: tuple[int, int]) -> bool:
    if before is None:
        return min(here) == 1
    return here in {(before[0] + 1, before[1]), (before[0], before[1] + 1)}


def _running_times(rows: Sequence[Input]) -> dict[bytes, list[int]]:
    times: dict[bytes, list[int]] = defaultdict(list)
    for row in rows:
        known = times[row.key]
        known.append(max(row.timestamp, known[-1]) if known else row.timestamp)
    return times


def _held(where: str, rows: Iterable[Written], history: Iterable[Logged]) -> Iterator[Finding]:
    """Of each key the changelog leaves out what was overwritten before a commit, and repeats nothing."""
    ahead: dict[bytes | None, list[Written]] = defaultdict(list)
    for row in rows:
        ahead[row.key].append(row)
    places: Counter[bytes | None] = Counter()
    for found in history:
        due = ahead[found.key]
        try:
            places[found.key] = due.index(found.written, places[found.key]) + 1
        except ValueError:
            at = places[found.key]
            expected = f"one of the {len(due) - at} rows behind {due[at - 1] if at else None}"
            yield Finding(Kind.DIFFERENT, where, found.key, expected, found.written, found.offset)


def _closing(where: str, found: Sequence[Logged]) -> Iterator[Finding]:
    latest = 0
    for row in found:
        start = int.from_bytes((row.key or b"")[-8:], "big")
        if start < latest:
            yield Finding(Kind.DIFFERENT, where, row.key, f"a window from {latest} on", start, row.offset)
        latest = max(latest, start)


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big", signed=True)


def _as_input(row: Written) -> Input:
    return inputs_of([Logged(0, *row)])[0]


def changelog(names: of.Names, store: str) -> str:
    return names.changelog(f"{store}-store" if store in JOIN_STORES else store)


def _changelogs(names: of.Names, stores: Sequence[str]) -> list[str]:
    return [changelog(names, store) for store in stores]
