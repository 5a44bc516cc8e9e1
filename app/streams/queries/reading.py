"""Committed rows of one store of one task, a page at a time.

Whatever is being written is not seen. What a page may cost is bounded by a `Budget`, rows that are passed over
included, so that a question never holds the caller for long; a page that ends early says where to go on.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from app.streams.queries.keys import Keys
from app.streams.queries.question import Question
from app.streams.queries.refusals import InvalidQuestion
from app.streams.stores import session, versioned, window
from app.streams.stores.base import Base
from app.streams.stores.key_value import after_prefix
from app.streams.stores.memory import MemoryBase
from app.streams.stores.segments import LARGEST_LONG, Segments, after_segment
from app.streams.stores.specs import KeyValueSpec, LruSpec, SessionSpec, StoreSpec, VersionedSpec, WindowSpec

# One row as JSON values: key, value, and what the kind of store has besides.
Shown: TypeAlias = dict[str, Any]
Stored: TypeAlias = tuple[bytes, bytes]

_READABLE: Final = (KeyValueSpec, LruSpec, WindowSpec, SessionSpec, VersionedSpec)
_LONG = struct.Struct(">q")
_ROWS_EXAMINED: Final = 4_000
_BYTES: Final = 1 << 20
_SLICE_MS: Final = 2.0
_EARLIEST: Final = bytes(versioned.SUFFIX)
_ABOVE_ALL: Final = b"\xff" * versioned.SUFFIX


def is_readable(spec: StoreSpec) -> bool:
    """The buffers of joins and of suppress hold what is on its way: they answer no questions, as in Java."""
    return isinstance(spec, _READABLE)


@dataclass(slots=True)
class Budget:
    """What a page may still have: rows given, rows looked at, bytes of rows given."""

    rows: int
    examined: int = _ROWS_EXAMINED
    bytes: int = _BYTES

    @property
    def spent(self) -> bool:
        return self.rows <= 0 or self.examined <= 0 or self.bytes <= 0


@dataclass(slots=True)
class Part:
    """Rows of one partition. after: the last row looked at, if there are more behind it. single: the key has one row,
    or none."""

    rows: list[Shown] = field(default_factory=list)
    after: bytes | None = None
    single: bool = False


class CommittedStore:
    """store: an open one, of a task or a global one. subject: the topic name its serdes are told."""

    __slots__ = ("_base", "_deserialize", "keys", "spec")

    def __init__(self, store: Any, subject: str) -> None:
        self.spec: StoreSpec = store.spec
        self._base: Base = store.committed_rows
        self._deserialize: Callable[[bytes], Any] = self.spec.value.deserializer(subject)
        self.keys = Keys(self.spec.key, subject)

    @property
    def position(self) -> int | None:
        """Offset of the next changelog record that is not in here; None: it was never told."""
        return self._base.marks().position

    def preparing(self, question: Question) -> Iterator[None]:
        """What has to be done once before the question can be read, in slices of a few ms: rows in memory are in no
        order until somebody wants one. The caller may stop at any time; the next one goes on from there."""
        base, is_single = self._base, question.key is not None
        if isinstance(base, MemoryBase) and not (is_single and isinstance(self.spec, KeyValueSpec | LruSpec)):
            yield from base.ordering(_SLICE_MS, for_groups=is_single)

    def rows_of(self, question: Question, after: bytes | None, budget: Budget) -> Part:
        """Rows of `question.key`, by time. Raises InvalidQuestion."""
        key = self.keys.read(question.key or "", question.key_form)
        spec = self.spec
        _refuse_as_of(question, spec)
        match spec:
            case WindowSpec():
                times = self._times(question, spec)
                lo, hi = window.START_SEQUENCE.pack(times[0], 0), _after_time(times[1], window.SUFFIX)
                rows = self._groups(key, (lo, hi), self._segments(spec.retention, times), after)
                return _take(rows, self._windows(spec, times), budget)
            case SessionSpec():
                times = self._times(question, spec)
                lo, hi = session.END_START.pack(times[0], 0), b"\xff" * session.SUFFIX
                rows = self._groups(key, (lo, hi), self._segments(spec.retention, (times[0], LARGEST_LONG)), after)
                return _take(rows, self._sessions(times), budget)
            case VersionedSpec() if question.lower is None and question.upper is None:
                found = self._version_at(spec, key, question.as_of) if after is None else None
                part = _take([] if found is None else [found], self._version, budget)
                part.single = True
                return part
            case VersionedSpec():
                return self._versions(spec, key, question, after, budget)
            case _:
                _refuse_bounds(question, "a key-value store has one row of a key")
                data = self._base.get(key) if after is None else None
                part = _take([] if data is None else [(key, data)], self._row, budget)
                part.single = True
                return part

    def page(self, question: Question, after: bytes | None, budget: Budget) -> Part:
        """Rows of all keys, in the order of the store: by key, or by segment of time and then by key. Of versioned
        keys the version that is valid, now or at `as_of`. Raises InvalidQuestion."""
        spec, prefix = self.spec, None
        _refuse_as_of(question, spec)
        if question.prefix is not None:
            prefix = self.keys.read_prefix(question.prefix, question.key_form)
        match spec:
            case WindowSpec():
                times = self._times(question, spec)
                rows = self._keys(prefix, self._segments(spec.retention, times), after)
                return _take(rows, _of_prefix(self._windows(spec, times), prefix, window.SUFFIX), budget)
            case SessionSpec():
                times = self._times(question, spec)
                rows = self._keys(prefix, self._segments(spec.retention, (times[0], LARGEST_LONG)), after)
                return _take(rows, _of_prefix(self._sessions(times), prefix, session.SUFFIX), budget)
            case VersionedSpec():
                _refuse_bounds(question, "a versioned store lists what is valid at one time")
                rows = self._keys(prefix, [b""], after)
                return _take(rows, _of_prefix(self._valid(spec, question.as_of), prefix, versioned.SUFFIX), budget)
            case _:
                return _take(self._between(question, prefix, after), self._row, budget)

    # which rows

    def _times(self, question: Question, spec: WindowSpec | SessionSpec) -> tuple[int, int]:
        """The times asked for, without those that the store hides as too old (I4)."""
        lower, upper = question.times()
        kept = 0 if isinstance(spec, WindowSpec) and spec.time_ordered and spec.persistent else 1
        return max(lower, self._base.marks().stream_time - spec.retention + kept), upper

    def _segments(self, retention: int, times: tuple[int, int]) -> list[bytes]:
        """Prefixes of the segments with such times, the oldest first."""
        return Segments(retention, self._base.prefixes(), self._base.marks().stream_time).between(*times)

    def _groups(
        self, key: bytes, suffixes: tuple[bytes, bytes], segments: list[bytes], after: bytes | None
    ) -> Iterator[Stored]:
        """Rows of one key."""
        lo, hi = suffixes
        for segment in segments:
            group = segment + key
            if after is None or segment > after[: len(segment)]:
                yield from self._base.group(group, lo, hi)
            elif after.startswith(group):
                yield from self._base.group(group, max(lo, _next(after[len(group) :])), hi)

    def _keys(self, prefix: bytes | None, segments: list[bytes], after: bytes | None) -> Iterator[Stored]:
        """Rows of all keys, or of those that may begin with `prefix`."""
        for segment in segments:
            first = segment + (prefix or b"")
            last = after_prefix(first) if prefix or not segment else after_segment(segment)
            yield from self._base.scan(first if after is None else max(first, after + b"\x00"), last)

    def _between(self, question: Question, prefix: bytes | None, after: bytes | None) -> Iterator[Stored]:
        """Rows of a key-value store."""
        read, form = self.keys.read, question.key_form
        lo = b"" if question.lower is None else read(question.lower, form)
        hi = None if question.upper is None else read(question.upper, form) + b"\x00"
        if prefix:
            lo, end = max(lo, prefix), after_prefix(prefix)
            hi = end if hi is None or (end is not None and end < hi) else hi
        if after is not None:
            lo = max(lo, after + b"\x00")
        return iter(()) if hi is not None and lo >= hi else self._base.scan(lo, hi)

    def _version_at(self, spec: VersionedSpec, key: bytes, as_of: int | None) -> Stored | None:
        """The version valid now or at `as_of`; before the history starts only the latest one can be."""
        hi = _ABOVE_ALL if as_of is None or as_of < self._history_start(spec) else _after_time(as_of, versioned.SUFFIX)
        found = next(self._base.group(key, _EARLIEST, hi, reverse=True), None)
        if found is None or versioned.value_bytes(found[1]) is None:
            return None
        return found if as_of is None or _time_of(found[0]) <= as_of else None

    def _versions(
        self, spec: VersionedSpec, key: bytes, question: Question, after: bytes | None, budget: Budget
    ) -> Part:
        """All versions that were valid at some time between two (M6)."""
        if question.as_of is not None:
            raise InvalidQuestion("as_of is one time, from and to are two", "give one of them")
        lower, upper = question.times()
        start, part, last = self._history_start(spec), Part(), None
        seen = after is not None and after.startswith(key)
        rows = self._base.group(key, _next((after or b"")[len(key) :]) if seen else _EARLIEST, _ABOVE_ALL)
        entry = next(rows, None)
        while entry is not None and _time_of(entry[0]) <= upper:
            if budget.spent:
                part.after = last
                break
            following = next(rows, None)
            valid_to = None if following is None else _time_of(following[0])
            is_past = valid_to is not None and (valid_to <= max(lower, start) or upper < start)
            shown = None if is_past else self._version(*entry)
            budget.examined -= 1
            if shown is not None:
                part.rows.append(shown if valid_to is None else {**shown, "valid_to": valid_to})
                budget.rows -= 1
                budget.bytes -= len(entry[0]) + len(entry[1])
            last, entry = entry[0], following
        return part

    def _history_start(self, spec: VersionedSpec) -> int:
        return self._base.marks().stream_time - spec.history

    # how a row is shown; None: it is not

    def _row(self, row: bytes, data: bytes) -> Shown | None:
        timestamped = isinstance(self.spec, KeyValueSpec) and self.spec.timestamped
        return {"key": self.keys.shown(row), **self._value(data, timestamped)}

    def _windows(self, spec: WindowSpec, times: tuple[int, int]) -> Show:
        lower, upper = times

        def show(row: bytes, data: bytes) -> Shown | None:
            start = window.start_of(row)
            if not lower <= start <= upper:
                return None
            key = self.keys.shown(row[window.PREFIX : -window.SUFFIX])
            end = min(start + spec.size, LARGEST_LONG)
            return {"key": key, "start": start, "end": end, **self._value(data, spec.timestamped)}

        return show

    def _sessions(self, times: tuple[int, int]) -> Show:
        """Those that touch the times."""
        earliest_end, latest_start = times

        def show(row: bytes, data: bytes) -> Shown | None:
            start, end = session.bounds_of(row)
            if end < earliest_end or start > latest_start:
                return None
            key = self.keys.shown(row[session.PREFIX : -session.SUFFIX])
            return {"key": key, "start": start, "end": end, **self._value(data, timestamped=False)}

        return show

    def _valid(self, spec: VersionedSpec, as_of: int | None) -> Show:
        def show(row: bytes, data: bytes) -> Shown | None:
            found = self._version_at(spec, row[: -versioned.SUFFIX], as_of)
            return self._version(row, data) if found is not None and found[0] == row else None

        return show

    def _version(self, row: bytes, data: bytes) -> Shown | None:
        value = versioned.value_bytes(data)
        if value is None:
            return None
        key = self.keys.shown(row[: -versioned.SUFFIX])
        return {"key": key, **self._value(value, timestamped=False), "timestamp": _time_of(row)}

    def _value(self, data: bytes, timestamped: bool) -> Shown:
        more = {"timestamp": _LONG.unpack_from(data)[0]} if timestamped else {}
        data = data[8:] if timestamped else data
        try:
            value = self._deserialize(data)
        except Exception as cause:  # noqa: BLE001  # any serde; one row that cannot be read must not hide the others
            return {"value": _bytes(data), "unreadable": str(cause), **more}
        return {"value": _json_value(value), **more}


Show: TypeAlias = Callable[[bytes, bytes], Shown | None]


def _take(rows: Iterable[Stored], show: Show, budget: Budget) -> Part:
    part = Part()
    last = None
    for row, data in rows:
        if budget.spent:
            part.after = last
            break
        last = row
        budget.examined -= 1
        shown = show(row, data)
        if shown is not None:
            part.rows.append(shown)
            budget.rows -= 1
            budget.bytes -= len(row) + len(data)
    return part


def _of_prefix(show: Show, prefix: bytes | None, suffix: int) -> Show:
    """A short key and the times behind it may look like the prefix."""
    if not prefix:
        return show

    def checked(row: bytes, data: bytes) -> Shown | None:
        # What stands before the key has been matched already.
        head = 0 if suffix == versioned.SUFFIX else window.PREFIX
        return show(row, data) if row[head:-suffix].startswith(prefix) else None

    return checked


def _after_time(time: int, size: int) -> bytes:
    """A suffix above all of this time."""
    return b"\xff" * size if time >= LARGEST_LONG else _LONG.pack(time + 1) + bytes(size - 8)


def _next(suffix: bytes) -> bytes:
    """The one behind it, as long as it. Behind the last comes the first: only a forged cursor asks for that."""
    return (int.from_bytes(suffix, "big") + 1).to_bytes(len(suffix) + 1, "big")[1:]


def _time_of(row: bytes) -> int:
    """When a version began to be valid."""
    return int.from_bytes(row[-versioned.SUFFIX :], "big")


def _refuse_bounds(question: Question, why: str) -> None:
    if question.lower is not None or question.upper is not None:
        raise InvalidQuestion(f"{why}: from and to say nothing here", "leave them out")


def _refuse_as_of(question: Question, spec: StoreSpec) -> None:
    if question.as_of is not None and not isinstance(spec, VersionedSpec):
        raise InvalidQuestion(f"store {spec.name} keeps no versions: as_of says nothing here", "leave it out")


def _json_value(value: Any) -> Any:
    """Bytes as base64, NaN as its name, whatever has no JSON form as its `repr`."""
    if isinstance(value, bytes):
        return _bytes(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        return msgspec.json.decode(msgspec.json.encode(value, enc_hook=repr))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return repr(value)


def _bytes(data: bytes) -> Any:
    return {"base64": base64.b64encode(data).decode()}
