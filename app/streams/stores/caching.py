"""Stores behind the record cache (I12, K4; Java: CachingKeyValueStore, CachingWindowStore, CachingSessionStore)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeVar

from app.streams.context import Context
from app.streams.errors import StoreRefused
from app.streams.model import Forward, Windowed
from app.streams.stores.key_value import KeyValueStore, KeyValueView, TimestampedKeyValueStore
from app.streams.stores.overlay import Entry, Overlay, merge
from app.streams.stores.record_cache import Held, RecordCache, StoreCache
from app.streams.stores.segments import LARGEST_LONG
from app.streams.stores.session import END_START, SessionStore, bounds_of
from app.streams.stores.session import SUFFIX as SESSION_SUFFIX
from app.streams.stores.slices import ALL
from app.streams.stores.specs import KeyValueSpec, SessionSpec, WindowSpec
from app.streams.stores.stage import Stage
from app.streams.stores.store import Home
from app.streams.stores.window import PREFIX, START_SEQUENCE, WindowStore, WindowView, by_start, start_of
from app.streams.stores.window import SUFFIX as WINDOW_SUFFIX

K = TypeVar("K")
V = TypeVar("V")

_TIMESTAMP_SIZE: Final = 8


class CachedRows:
    """What is held in front of what is in the store; of the store's rows, those that are not hidden."""

    __slots__ = ("_cache", "_hidden", "_overlay", "_remember")

    def __init__(
        self,
        overlay: Overlay,
        cache: StoreCache,
        hidden: Callable[[bytes], bool] | None = None,
        remember: Callable[[bytes, Entry], None] | None = None,
    ) -> None:
        self._overlay = overlay
        self._cache = cache
        self._hidden = hidden
        self._remember = remember

    def get(self, row: bytes) -> Entry | None:
        entry = self._cache.get(row)
        if entry is not None:
            return None if entry[0] is None else entry
        entry = self.stored(row)
        if entry is not None and self._remember is not None:
            self._remember(row, entry)
        return entry

    def stored(self, row: bytes) -> Entry | None:
        """The row as the store behind shows it."""
        return None if self._hidden is not None and self._hidden(row) else self._overlay.get(row)

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, Entry]]:
        stored = self._overlay.scan(lo, hi, reverse)
        hidden = self._hidden
        if hidden is not None:
            stored = (found for found in stored if not hidden(found[0]))
        return merge([self._held(lo, hi, reverse), stored], reverse)

    def keys(self, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[bytes]:
        return (row for row, _ in self.scan(lo, hi, reverse))

    def group(self, group: bytes, lo: bytes, hi: bytes) -> Sequence[tuple[bytes, Entry]]:
        held = [(row, entry) for row in self._cache.rows.group(group, lo, hi) if (entry := self._cache.get(row))]
        stored = self._overlay.group(group, lo, hi)
        hidden = self._hidden
        if hidden is not None:
            stored = [found for found in stored if not hidden(found[0])]
        return list(merge([held, stored], False)) if held else stored

    def first(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> tuple[bytes, Entry] | None:
        rows = self.group(group, lo, hi)
        return (rows[-1] if reverse else rows[0]) if rows else None

    def count(self) -> int:
        return self._overlay.count()

    def _held(self, lo: bytes | None, hi: bytes | None, reverse: bool) -> Iterator[tuple[bytes, Entry]]:
        for row, _ in self._cache.rows.scan(lo, hi, reverse):
            entry = self._cache.get(row)
            if entry is not None:
                yield row, entry


@dataclass(frozen=True, slots=True)
class Onward:
    """How a row that is held no longer goes on: into the store, and to the next node under which key and time."""

    write: Callable[[bytes, Entry], None]
    key: Callable[[bytes], Any]
    time: Callable[[bytes, Entry], int]


class Front:
    """The cache in front of one store: rows that go on are written, logged and forwarded in the context of their last
    write (K4)."""

    __slots__ = ("_ctx", "_listener", "_onward", "_send_old", "cache", "rows")

    def __init__(self, ctx: Context, rows: CachedRows, cache: StoreCache, onward: Onward) -> None:
        self._ctx = ctx
        self._onward = onward
        self._listener: Forward | None = None
        self._send_old = False
        self.cache = cache
        self.rows = rows
        cache.listener = self._go_on

    def on_flush(self, listener: Forward, send_old: bool) -> None:
        self._listener, self._send_old = listener, send_old

    def hold(self, row: bytes, entry: Entry, value_size: int) -> None:
        self.cache.hold(row, entry, value_size, Held.of(self._ctx))

    def segments(self, live: list[bytes], earliest: bytes, latest: bytes) -> list[bytes]:
        """The segments to search: the store's, and those of held rows."""
        return sorted({*live, *(prefix for prefix in self.cache.prefixes if earliest <= prefix <= latest)})

    def _go_on(self, rows: Sequence[tuple[bytes, Entry, Held]]) -> None:
        ctx, onward, listener = self._ctx, self._onward, self._listener
        current = Held.of(ctx)
        for row, entry, held in rows:
            old = None
            if listener is not None and (entry[0] is None or self._send_old):
                old = self.rows.stored(row)
                # Nothing over nothing: neither logged nor forwarded. Java looks only where someone listens.
                if entry[0] is None and old is None:
                    continue
            held.enter(ctx)
            onward.write(row, entry)
            if listener is not None:
                ctx.timestamp = onward.time(row, entry)
                before = old[0] if old is not None and self._send_old else None
                listener(onward.key(row), (entry[0], before, True))
        current.enter(ctx)


class Fronted:
    """What all stores behind a cache have."""

    __slots__ = ()

    _front: Front
    _stage: Stage
    caches = True

    @property
    def dirty(self) -> int:
        """Rows put since the last seal, held ones too."""
        return len(self._stage.overlay.open.entries) + self._front.cache.dirty

    def on_flush(self, listener: Forward, send_old: bool) -> None:
        """Forward (new, old, is latest) of each row that goes on; old only if `send_old`."""
        self._front.on_flush(listener, send_old)

    def flushing(self, every: int = ALL) -> Iterator[None]:
        return self._front.cache.flushing(every)


class CachingKeyValueStore(Fronted, KeyValueStore[K, V]):
    """Plain values."""

    __slots__ = ("_front",)

    def __init__(self, spec: KeyValueSpec, home: Home, cache: RecordCache) -> None:
        super().__init__(spec, home)
        self._front = _key_value_front(self, home.ctx, cache)
        self._rows = self._front.rows

    def get_row(self, row: bytes) -> V | None:
        return KeyValueView.get_row(self, row)

    def _write(self, row: bytes, value: Any, timestamp: int) -> None:
        self._front.hold(row, (value, timestamp), self.value_size(value))

    def write_through(self, row: bytes, entry: Entry) -> None:
        """Into the store behind the cache, in the context of the write."""
        super()._write(row, entry[0], entry[1])


class CachingTimestampedKeyValueStore(Fronted, TimestampedKeyValueStore[K, V]):
    """Values with timestamps."""

    __slots__ = ("_front",)

    def __init__(self, spec: KeyValueSpec, home: Home, cache: RecordCache) -> None:
        super().__init__(spec, home)
        self._front = _key_value_front(self, home.ctx, cache)
        self._rows = self._front.rows

    def get_row(self, row: bytes) -> tuple[V, int] | None:
        return KeyValueView.get_row(self, row)

    def _write(self, row: bytes, value: Any, timestamp: int) -> None:
        self._front.hold(row, (value, timestamp), self.value_size(value))

    def write_through(self, row: bytes, entry: Entry) -> None:
        """Into the store behind the cache, in the context of the write."""
        super()._write(row, entry[0], entry[1])


def _key_value_front(
    store: CachingKeyValueStore[Any, Any] | CachingTimestampedKeyValueStore[Any, Any], ctx: Context, cache: RecordCache
) -> Front:
    held = StoreCache(cache)

    def remember(row: bytes, entry: Entry) -> None:
        held.remember(row, entry, store.value_size(entry[0]))

    # The entry's time is the value's in a timestamped store; elsewhere, and for a deletion, that of the record.
    onward = Onward(store.write_through, store.key_of, lambda _row, entry: entry[1])
    return Front(ctx, CachedRows(store.overlay, held, None, remember), held, onward)


class CachingWindowStore(Fronted, WindowStore[K, V]):
    """Held rows are not hidden, however late they are."""

    __slots__ = ("_front",)

    def __init__(self, spec: WindowSpec, home: Home, cache: RecordCache) -> None:
        super().__init__(spec, home)
        held = StoreCache(cache, PREFIX, WINDOW_SUFFIX)
        rows = CachedRows(self._overlay, held, self._is_hidden)
        self._front = Front(
            home.ctx, rows, held, Onward(self._write_through, self._key_of, lambda _row, entry: entry[1])
        )
        self._rows = rows

    def get_row(self, key: bytes, start: int) -> V | None:
        return WindowView.get_row(self, key, start)

    def put_row(self, key: bytes, value: Any, start: int, timestamp: int | None = None) -> None:
        if timestamp is None or value is None:
            timestamp = self._ctx.timestamp
        size = 0 if value is None else len(self._serialize(value)) + (_TIMESTAMP_SIZE if self.spec.timestamped else 0)
        row = self._clock.segments.prefix(start) + key + START_SEQUENCE.pack(start, 0)
        self._front.hold(row, (value, timestamp, 0), size)

    def _segments(self, time_from: int, time_to: int) -> list[bytes]:
        segments = self._clock.segments
        live = segments.between(time_from, time_to)
        return self._front.segments(live, segments.prefix(time_from), segments.prefix(time_to))

    def _earliest(self) -> int:
        return 0

    def _by_time(self, time_from: int, time_to: int, *, reverse: bool) -> Iterator[tuple[bytes, Entry]]:
        rows = self._scan(None, None, (time_from, time_to), reverse)
        # Held rows are in no index.
        by_time = self.spec.time_ordered or not self.spec.persistent
        return iter(sorted(rows, key=by_start, reverse=reverse)) if by_time else rows

    def _is_hidden(self, row: bytes) -> bool:
        return start_of(row) < super()._earliest()

    def _write_through(self, row: bytes, entry: Entry) -> None:
        super().put_row(row[PREFIX:-WINDOW_SUFFIX], entry[0], start_of(row), entry[1])

    def _key_of(self, row: bytes) -> Windowed[K]:
        start = start_of(row)
        key = self._deserialize_key(row[PREFIX:-WINDOW_SUFFIX])
        return Windowed(key, start, min(start + self.spec.size, LARGEST_LONG))


class CachingSessionStore(Fronted, SessionStore[K, V]):
    """Held sessions are not hidden, however late they are."""

    __slots__ = ("_front", "_newest_end")

    def __init__(self, spec: SessionSpec, home: Home, cache: RecordCache) -> None:
        super().__init__(spec, home)
        held = StoreCache(cache, PREFIX, SESSION_SUFFIX)
        rows = CachedRows(self._overlay, held, self._is_hidden)
        self._front = Front(home.ctx, rows, held, Onward(self._write_through, self._key_of, _end_of_session))
        self._rows = rows
        self._newest_end = -1

    def put_row(self, key: bytes, start: int, end: int, value: V | None) -> None:
        self._newest_end = max(self._newest_end, end)
        size = 0 if value is None else len(self._serialize(value))
        row = self._clock.segments.prefix(end) + key + END_START.pack(end, start)
        self._front.hold(row, (value, self._ctx.timestamp), size)

    def remove_row(self, key: bytes, start: int, end: int) -> None:
        self.put_row(key, start, end, None)

    def on_flush(self, listener: Forward, send_old: bool) -> None:
        """Forward (new, old, is latest) of each session that goes on; old only if `send_old`."""
        self._front.on_flush(self._without_headers(listener) if self._log_deletions else listener, send_old)

    def backward_find_sessions(self, key: K, earliest_end: int, latest_start: int) -> Iterator[tuple[Windowed[K], V]]:
        self._refuse_unused()
        return super().backward_find_sessions(key, earliest_end, latest_start)

    def backward_find_sessions_of_keys(
        self, key_from: K | None, key_to: K | None, earliest_end: int, latest_start: int
    ) -> Iterator[tuple[Windowed[K], V]]:
        self._refuse_unused()
        return super().backward_find_sessions_of_keys(key_from, key_to, earliest_end, latest_start)

    def _in_memory_order(self, rows: Iterable[tuple[bytes, Entry]], reverse: bool) -> Iterator[tuple[bytes, Entry]]:
        """Java merges held sessions, of one key and end the first start first, with stored ones, which in memory come
        the other way round. Where both are there some of them show twice."""
        ordered = super()._in_memory_order(rows, reverse)
        for _, same in groupby(ordered, key=lambda each: each[0][:-8]):
            stored = list(same)
            if len(stored) == 1:
                yield stored[0]
                continue
            held = [each for each in reversed(stored) if self._front.cache.get(each[0]) is not None]
            behind = [(row, found) for row, _ in stored if (found := self._front.rows.stored(row)) is not None]
            yield from _merged_in_turn(held, behind, reverse)

    def _refuse_unused(self) -> None:
        """Java reads a persistent store backward from the newest end that was cached, and fails while there is none."""
        if self.spec.persistent and self._newest_end < 0:
            raise StoreRefused(f"nothing was put into the cached store {self.name} yet: it cannot be read backward")

    def _without_headers(self, listener: Forward) -> Forward:
        """Where sessions are stored with headers, Java forwards those of the session, which has none (I10)."""
        ctx = self._ctx

        def forward(key: Any, change: Any) -> None:
            ctx.headers = ()
            listener(key, change)

        return forward

    def _segments(self, earliest: int, latest: int) -> list[bytes]:
        segments = self._clock.segments
        live = segments.between(earliest, latest)
        return self._front.segments(live, segments.prefix(earliest), segments.prefix(latest))

    def _earliest(self) -> int:
        return 0

    def _is_hidden(self, row: bytes) -> bool:
        return bounds_of(row)[1] < super()._earliest()

    def _write_through(self, row: bytes, entry: Entry) -> None:
        start, end = bounds_of(row)
        super().put_row(row[PREFIX:-SESSION_SUFFIX], start, end, entry[0])

    def _key_of(self, row: bytes) -> Windowed[K]:
        start, end = bounds_of(row)
        return Windowed(self._deserialize_key(row[PREFIX:-SESSION_SUFFIX]), start, end)


def _merged_in_turn(
    held: list[tuple[bytes, Entry]], stored: list[tuple[bytes, Entry]], reverse: bool
) -> Iterator[tuple[bytes, Entry]]:
    """The lower of both heads at a time (the higher, if `reverse`), the held one of two equal ones."""
    position, end = 0, len(stored)
    for row, entry in held:
        while position < end and (stored[position][0] > row if reverse else stored[position][0] < row):
            yield stored[position]
            position += 1
        if position < end and stored[position][0] == row:
            position += 1
        yield row, entry
    yield from stored[position:]


def _end_of_session(row: bytes, _entry: Entry) -> int:
    return bounds_of(row)[1]
