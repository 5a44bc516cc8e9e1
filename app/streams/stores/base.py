"""What a store stands on: committed rows, ordered bytes → bytes, that change only in one piece."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol


class Marks(NamedTuple):
    """What becomes durable together with the rows.

    position: changelog offset up to which the rows hold, None if unknown. stream_time: highest time the store saw, in
    ms (A7). row_sequence, log_sequence: last numbers given to rows that keep duplicates, in the store and in its
    changelog.
    """

    position: int | None = None
    stream_time: int = -1
    row_sequence: int = 0
    log_sequence: int = 0


class Base(Protocol):
    """One store's committed rows. Keys compare as unsigned bytes; a key is a prefix, a group within it and a suffix,
    whose lengths are fixed for a kind of store.

    Iterators show some state between their making and their end: rows may come and go while they are read.
    """

    def get(self, row: bytes) -> bytes | None:
        """The value of one row."""
        ...

    def scan(self, lo: bytes | None, hi: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Rows with lo ≤ key < hi, None is no bound."""
        ...

    def group(self, group: bytes, lo: bytes, hi: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key is `group` and a suffix with lo ≤ suffix < hi. The cost is that of the rows found."""
        ...

    def prefixes(self) -> list[bytes]:
        """The prefixes that some row has, in order."""
        ...

    def apply(self, writes: Iterable[tuple[bytes, bytes | None]], marks: Marks, dropped: Sequence[bytes] = ()) -> None:
        """Drop all rows with these prefixes, write the others (None deletes) and the marks: all or nothing."""
        ...

    def applying(
        self,
        writes: Sequence[tuple[bytes, bytes | None]],
        marks: Marks,
        dropped: Sequence[bytes] = (),
        *,
        slice_ms: float,
    ) -> Generator[None, None, None]:
        """`apply` in steps of about `slice_ms`, a yield between them. The marks are the old ones until the last step;
        rows may be either. Closed before its end, it leaves everything as it was. One at a time."""
        ...

    def marks(self) -> Marks:
        """Those of the last apply."""
        ...

    def __len__(self) -> int:
        """Rows, possibly an estimate."""
        ...
