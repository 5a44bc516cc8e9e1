"""What topics hold, as a reader sees it who is shown only what was committed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]


class Written(NamedTuple):
    """A record without its place. timestamp in ms."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers = ()


class Logged(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers = ()

    @property
    def written(self) -> Written:
        return Written(*self[1:])

    @property
    def bare(self) -> Logged:
        """Where it is not to be foretold of which record the headers are."""
        return self._replace(headers=()) if self.headers else self


class Logs:
    """Partitions of topics, each from its first record that is left."""

    def __init__(self, records: Mapping[tuple[str, int], Iterable[Logged]]) -> None:
        self._records: dict[tuple[str, int], list[Logged]] = defaultdict(list)
        self._records.update({where: list(rows) for where, rows in records.items()})

    def of(self, topic: str, partition: int) -> list[Logged]:
        return self._records.get((topic, partition), [])

    def count(self, topics: Iterable[str]) -> int:
        wanted = set(topics)
        return sum(len(rows) for (topic, _), rows in self._records.items() if topic in wanted)
