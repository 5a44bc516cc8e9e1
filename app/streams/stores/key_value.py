"""Key-value stores, plain and with a timestamp beside each value (I1, I2)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, Generic, TypeAlias, TypeVar

from app.streams.model import Headers, Row
from app.streams.model import row as change
from app.streams.stores.base import Marks
from app.streams.stores.overlay import Committed, Entry, Overlay, Readable
from app.streams.stores.slices import ALL, pieces
from app.streams.stores.specs import KeyValueSpec, LoggedHeaders, LruSpec
from app.streams.stores.stage import Stage, Staged
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics

K = TypeVar("K")
V = TypeVar("V")
P = TypeVar("P")
Stored = TypeVar("Stored")

# A value and its timestamp in ms: what a timestamped store gives.
Timestamped: TypeAlias = tuple[V, int]

_UNKNOWN: Final = -1
_TIMESTAMP = struct.Struct(">q")


class KeyValueView(Generic[K, Stored]):
    """Reading. Keys are ordered as the unsigned bytes of their serialized form."""

    __slots__ = ("_deserialize_key", "_rows", "_serialize_key", "_timestamped")

    def __init__(
        self,
        rows: Readable,
        serialize_key: Callable[[K], bytes],
        deserialize_key: Callable[[bytes], K],
        timestamped: bool,
    ) -> None:
        self._rows = rows
        self._serialize_key = serialize_key
        self._deserialize_key = deserialize_key
        self._timestamped = timestamped

    @property
    def key_bytes(self) -> Callable[[K], bytes]:
        """The serializer of keys: a caller with several operations on one key needs it only once."""
        return self._serialize_key

    def get(self, key: K) -> Stored | None:
        return self.get_row(self._serialize_key(key))

    def get_row(self, row: bytes) -> Stored | None:
        """`get` for a key that is at hand in its serialized form."""
        entry: Any = self._rows.get(row)
        shown: Stored | None = entry if entry is None or self._timestamped else entry[0]
        return shown

    def range(self, lo: K | None, hi: K | None) -> Iterator[tuple[K, Stored]]:
        """Rows with lo ≤ key ≤ hi; None is no bound. Nothing if lo > hi."""
        return self._between(lo, hi, reverse=False)

    def reverse_range(self, lo: K | None, hi: K | None) -> Iterator[tuple[K, Stored]]:
        return self._between(lo, hi, reverse=True)

    def all(self) -> Iterator[tuple[K, Stored]]:
        return self._between(None, None, reverse=False)

    def reverse_all(self) -> Iterator[tuple[K, Stored]]:
        return self._between(None, None, reverse=True)

    def prefix_scan(self, prefix: P, serialize: Callable[[P], bytes]) -> Iterator[tuple[K, Stored]]:
        """Rows whose serialized key begins with the serialized prefix."""
        return self.prefix_scan_rows(serialize(prefix))

    def prefix_scan_rows(self, prefix: bytes) -> Iterator[tuple[K, Stored]]:
        """`prefix_scan` for a prefix that is at hand in its serialized form."""
        return self._decoded(self._rows.scan(prefix, after_prefix(prefix)))

    def approximate_num_entries(self) -> int:
        return self._rows.count()

    def _between(self, lo: K | None, hi: K | None, *, reverse: bool) -> Iterator[tuple[K, Stored]]:
        first = None if lo is None else self._serialize_key(lo)
        # The upper bound is in: the least key after it is not.
        end = None if hi is None else self._serialize_key(hi) + b"\x00"
        if first is not None and end is not None and first >= end:
            return iter(())
        return self._decoded(self._rows.scan(first, end, reverse))

    def _decoded(self, rows: Iterator[tuple[bytes, Entry]]) -> Iterator[tuple[K, Stored]]:
        deserialize = self._deserialize_key
        timestamped = self._timestamped
        entry: Any
        for row, entry in rows:
            yield deserialize(row), entry if timestamped else entry[0]


def after_prefix(prefix: bytes) -> bytes | None:
    """The least key behind all that begin with `prefix`; None if there is none."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,)) if kept else None


class _KeyValueRows(Staged, KeyValueView[K, Stored]):
    """Commit and restore, the same for both kinds."""

    __slots__ = (
        "_changelog",
        "_ctx",
        "_headers",
        "_log_all_headers",
        "_log_headers",
        "_overlay",
        "_serialize",
        "_stage",
        "spec",
    )

    kind = "key-value"
    # Whether a record cache holds writes back and forwards them later.
    caches = False

    def __init__(self, spec: KeyValueSpec | LruSpec, home: Home, timestamped: bool) -> None:
        self.spec = spec
        self._ctx = home.ctx
        self._changelog = Changelog(home)
        self._serialize: Callable[[Any], bytes] = spec.value.serializer(home.subject)
        self._stage = Stage(home, _decoder(spec.value.deserializer(home.subject), timestamped))
        self._overlay = self._stage.overlay
        logged = spec.log_headers if isinstance(spec, KeyValueSpec) else LoggedHeaders.NONE
        self._log_headers = logged is not LoggedHeaders.NONE
        self._log_all_headers = logged is LoggedHeaders.ALL
        # Of the changes since the last seal, by row, where there are any to be logged.
        self._headers: dict[bytes, Headers] = {}
        super().__init__(
            self._overlay, spec.key.serializer(home.subject), spec.key.deserializer(home.subject), timestamped
        )

    @property
    def name(self) -> str:
        return self.spec.name

    def get_row(self, row: bytes) -> Stored | None:
        # What Overlay.get does, without its call: this is the hottest read there is.
        entry: Any = self._overlay.open.entries.get(row)
        if entry is None:
            entry = self._overlay.below(row)
            if entry is None:
                return None
        elif entry[0] is None:
            return None
        shown: Stored = entry if self._timestamped else entry[0]
        return shown

    @property
    def overlay(self) -> Overlay:
        """The rows, newest first."""
        return self._overlay

    def value_size(self, value: Any) -> int:
        """Bytes a value takes in the store; 0 for none."""
        if value is None:
            return 0
        return len(self._serialize(value)) + (_TIMESTAMP.size if self._timestamped else 0)

    def key_of(self, row: bytes) -> K:
        return self._deserialize_key(row)

    def committed(self) -> KeyValueView[K, Stored]:
        """What has been applied, and nothing newer."""
        rows = Committed(self._overlay.base, self._overlay.decode)
        return KeyValueView(rows, self._serialize_key, self._deserialize_key, self._timestamped)

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        sealed, writes = self._stage.seal(Marks())
        serialize, timestamped, pack = self._serialize, self._timestamped, _TIMESTAMP.pack
        # Once for all rows: there may be as many as records.
        topic, partition, log = self._changelog.topic or "", self._changelog.partition, self._changelog.log
        headers, self._headers = self._headers, {}
        rows: list[Row] = []
        for some in pieces(sealed.entries, every):
            for row, (value, timestamp) in some:
                data = None if value is None else serialize(value)
                if log:
                    rows.append(change((topic, partition, row, data, timestamp, headers.get(row, ()))))
                writes.append((row, pack(timestamp) + data if timestamped and data is not None else data))
            yield
        return rows

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        """Timestamped stores take the record's timestamp for the value's; records without a key are passed over."""
        timestamped, pack = self._timestamped, _TIMESTAMP.pack
        writes = [
            (key, pack(timestamp) + value if timestamped and value is not None else value)
            for key, value, timestamp, _ in rows
            if key is not None
        ]
        self._stage.restored(writes, Marks(), position)

    def statistics(self) -> StoreStatistics:
        return self._stage.statistics(self.spec.name, self.kind)

    def _write(self, row: bytes, value: Any, timestamp: int) -> None:
        if self._log_headers:
            self._headers[row] = self._ctx.headers if value is None or self._log_all_headers else ()
        if self._changelog.at_once:
            # Before it is kept: what cannot be serialized must not be there at the commit.
            data = None if value is None else self._serialize(value)
            self._changelog.send(row, data, timestamp, self._headers.get(row, ()))
        layer = self._overlay.open
        entries = layer.entries
        if row in entries:
            del entries[row]
        elif layer.indexed:
            layer.index(row)
        entries[row] = (value, timestamp)


def _decoder(deserialize: Callable[[bytes], Any], timestamped: bool) -> Callable[[bytes], Entry]:
    if not timestamped:
        return lambda data: (deserialize(data), _UNKNOWN)

    def decode(data: bytes) -> Entry:
        return deserialize(data[8:]), _TIMESTAMP.unpack_from(data)[0]

    return decode


class KeyValueStore(_KeyValueRows[K, V]):
    """Plain values; a change is logged with the timestamp of the record being processed."""

    __slots__ = ()

    def __init__(self, spec: KeyValueSpec | LruSpec, home: Home) -> None:
        super().__init__(spec, home, timestamped=False)

    def put(self, key: K, value: V | None) -> None:
        """None deletes."""
        self.put_row(self._serialize_key(key), value)

    def put_row(self, row: bytes, value: V | None) -> None:
        """`put` for a key that is at hand in its serialized form."""
        self._write(row, value, self._ctx.timestamp)

    def put_if_absent(self, key: K, value: V | None) -> V | None:
        """The value there was; only without one is anything put."""
        row = self._serialize_key(key)
        old = self.get_row(row)
        if old is None:
            self.put_row(row, value)
        return old

    def put_all(self, pairs: Iterable[tuple[K, V | None]]) -> None:
        for key, value in pairs:
            self.put(key, value)

    def delete(self, key: K) -> V | None:
        """The value there was."""
        row = self._serialize_key(key)
        old = self.get_row(row)
        self.put_row(row, None)
        return old


class TimestampedKeyValueStore(_KeyValueRows[K, Timestamped[V]]):
    """Values with timestamps; a change is logged with the value's, a deletion with that of the record in process."""

    __slots__ = ()

    kind = "timestamped-key-value"

    def __init__(self, spec: KeyValueSpec, home: Home) -> None:
        super().__init__(spec, home, timestamped=True)

    def put(self, key: K, value: V | None, timestamp: int) -> None:
        """None deletes, whatever the timestamp."""
        self.put_row(self._serialize_key(key), value, timestamp)

    def put_row(self, row: bytes, value: V | None, timestamp: int) -> None:
        """`put` for a key that is at hand in its serialized form."""
        self._write(row, value, self._ctx.timestamp if value is None else timestamp)

    def put_if_absent(self, key: K, value: V | None, timestamp: int) -> Timestamped[V] | None:
        """What there was; only without it is anything put."""
        row = self._serialize_key(key)
        old = self.get_row(row)
        if old is None:
            self.put_row(row, value, timestamp)
        return old

    def put_all(self, rows: Iterable[tuple[K, V | None, int]]) -> None:
        for key, value, timestamp in rows:
            self.put(key, value, timestamp)

    def delete(self, key: K) -> Timestamped[V] | None:
        """What there was."""
        row = self._serialize_key(key)
        old = self.get_row(row)
        self.put_row(row, None, _UNKNOWN)
        return old
