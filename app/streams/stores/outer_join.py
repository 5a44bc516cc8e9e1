"""The rows of a left or outer stream-stream join that wait for a partner (I8, F3; Java: ListValueStore)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

from app.streams.model import Row
from app.streams.serdes.join_side import read_key, read_value, write_key, write_value
from app.streams.serdes.listing import read_list, write_variable
from app.streams.stores.base import Marks
from app.streams.stores.overlay import Entry
from app.streams.stores.slices import ALL, pieces
from app.streams.stores.specs import OuterJoinSpec
from app.streams.stores.stage import Stage, Staged
from app.streams.stores.store import Changelog, Home, Restored, StoreStatistics

_TIMESTAMP = struct.Struct(">q")


class Waiting(NamedTuple):
    """The records of one side with one key and timestamp, in the order they came."""

    timestamp: int
    is_left: bool
    key: Any
    values: tuple[Any, ...]


class OuterJoinStore(Staged):
    """Rows by (timestamp, right before left, key bytes). An entry is (values, timestamp of the change)."""

    __slots__ = (
        "_changelog",
        "_ctx",
        "_deserialize_key",
        "_overlay",
        "_serialize_key",
        "_serialize_left",
        "_serialize_right",
        "_stage",
        "spec",
    )

    kind = "outer-join"
    caches = False

    def __init__(self, spec: OuterJoinSpec, home: Home) -> None:
        self.spec = spec
        self._ctx = home.ctx
        self._changelog = Changelog(home)
        subject = home.subject
        self._serialize_key: Callable[[Any], bytes] = spec.key.serializer(subject)
        self._deserialize_key: Callable[[bytes], Any] = spec.key.deserializer(subject)
        self._serialize_left: Callable[[Any], bytes] = spec.value.serializer(subject)
        self._serialize_right: Callable[[Any], bytes] = spec.right_value.serializer(subject)
        left, right = spec.value.deserializer(subject), spec.right_value.deserializer(subject)
        self._stage = Stage(home, lambda data: _decode(data, left, right))
        self._overlay = self._stage.overlay

    @property
    def name(self) -> str:
        return self.spec.name

    def put(self, timestamp: int, is_left: bool, key: Any, value: Any) -> None:
        """Append a value to those that wait."""
        row = write_key(timestamp, is_left, self._serialize_key(key))
        entry = self._overlay.get(row)
        self._write(row, (value,) if entry is None else (*entry[0], value))

    def delete(self, timestamp: int, is_left: bool, key: Any) -> None:
        """All that wait there; logged even if there are none."""
        self._write(write_key(timestamp, is_left, self._serialize_key(key)), None)

    def delete_if_present(self, timestamp: int, is_left: bool, key: Any) -> bool:
        """All that wait there, if any do (Java: putIfAbsent of null)."""
        row = write_key(timestamp, is_left, self._serialize_key(key))
        if self._overlay.get(row) is None:
            return False
        self._write(row, None)
        return True

    def all(self, time_from: int = 0) -> Iterator[Waiting]:
        """All that wait with a timestamp of at least `time_from`; rows may be put and deleted meanwhile."""
        deserialize = self._deserialize_key
        for row, entry in self._overlay.scan(_TIMESTAMP.pack(max(time_from, 0)), None):
            timestamp, is_left, key = read_key(row)
            yield Waiting(timestamp, is_left, deserialize(key), entry[0])

    def sealing(self, every: int = ALL) -> Generator[None, None, list[Row]]:
        sealed, writes = self._stage.seal(Marks())
        log, change = self._changelog.log, self._changelog.row
        rows: list[Row] = []
        for some in pieces(sealed.entries, every):
            for row, (values, timestamp) in some:
                data = self._encode(row, values)
                if log:
                    rows.append(change(row, data, timestamp))
                writes.append((row, data))
            yield
        return rows

    def restore(self, rows: Iterable[Restored], position: int | None = None) -> None:
        self._stage.restored([(key, value) for key, value, _, _ in rows if key is not None], Marks(), position)

    def statistics(self) -> StoreStatistics:
        return self._stage.statistics(self.spec.name, self.kind)

    def _write(self, row: bytes, values: tuple[Any, ...] | None) -> None:
        timestamp = self._ctx.timestamp
        if self._changelog.at_once:
            self._changelog.send(row, self._encode(row, values), timestamp)
        self._overlay.put(row, (values, timestamp))

    def _encode(self, row: bytes, values: tuple[Any, ...] | None) -> bytes | None:
        if values is None:
            return None
        is_left = row[8] == 1
        serialize = self._serialize_left if is_left else self._serialize_right
        return write_variable([write_value(is_left, serialize(value)) for value in values])


def _decode(data: bytes, left: Callable[[bytes], Any], right: Callable[[bytes], Any]) -> Entry:
    values = []
    for element in read_list(data):
        if element is None:
            raise ValueError("a waiting value cannot be null")
        is_left, value = read_value(element)
        values.append(left(value) if is_left else right(value))
    return tuple(values), -1
