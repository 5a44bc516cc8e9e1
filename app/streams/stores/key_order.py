"""The order of many row keys, made a piece at a time: to sort a million of them at once takes a second."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Final, Self

_PIECE: Final = 1_000
_LARGEST: Final = 2 * _PIECE


class KeyOrder:
    """Keys without duplicates, in pieces; a piece is sorted when it is first looked at. bounds: where to begin new
    pieces, ascending; piece n has the keys from bounds[n - 1] on and below bounds[n]."""

    __slots__ = ("_bounds", "_is_sorted", "_pieces")

    def __init__(self, bounds: Iterable[bytes] = ()) -> None:
        self._bounds = list(bounds)
        self._pieces: list[list[bytes]] = [[] for _ in range(len(self._bounds) + 1)]
        self._is_sorted = [False] * len(self._pieces)

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> Self:
        """All of them at once."""
        ascending = sorted(keys)
        order = cls(ascending[_PIECE::_PIECE])
        for at, piece in enumerate(order._pieces):
            piece += ascending[at * _PIECE : (at + 1) * _PIECE]
            order._is_sorted[at] = True
        return order

    @classmethod
    def like(cls, keys: list[bytes]) -> Self:
        """An empty one, with bounds that fit these keys: some of them tell."""
        return cls(sorted(keys[:: max(1, len(keys) // (2 * _PIECE))])[2::2] if len(keys) > _LARGEST else ())

    @property
    def pieces(self) -> int:
        return len(self._pieces)

    def add(self, key: bytes) -> None:
        """One that is not in here."""
        at = bisect_right(self._bounds, key)
        piece = self._pieces[at]
        if self._is_sorted[at]:
            insort(piece, key)
        else:
            piece.append(key)
        if len(piece) > _LARGEST:
            self._split(at)

    def discard(self, key: bytes) -> None:
        at = bisect_right(self._bounds, key)
        piece = self._sorted(at)
        where = bisect_left(piece, key)
        if where == len(piece) or piece[where] != key:
            return
        del piece[where]
        # Keys that go with time must leave no empty pieces behind.
        if not piece and self._bounds:
            del self._pieces[at], self._is_sorted[at], self._bounds[max(at - 1, 0)]

    def between(self, lo: bytes | None, hi: bytes | None, *, above: bool, reverse: bool) -> Iterator[bytes]:
        """lo ≤ key < hi, None is no bound; with `above` lo itself is out. Nothing may be added or discarded while it is
        read."""
        first = 0 if lo is None else bisect_right(self._bounds, lo)
        last = len(self._bounds) if hi is None else bisect_left(self._bounds, hi)
        for at in range(last, first - 1, -1) if reverse else range(first, last + 1):
            piece = self._sorted(at)
            begin, end = 0, len(piece)
            if lo is not None and at == first:
                begin = bisect_right(piece, lo) if above else bisect_left(piece, lo)
            if hi is not None and at == last:
                end = bisect_left(piece, hi)
            yield from reversed(piece[begin:end]) if reverse else piece[begin:end]

    def _sorted(self, at: int) -> list[bytes]:
        piece = self._pieces[at]
        if not self._is_sorted[at]:
            piece.sort()
            self._is_sorted[at] = True
        return piece

    def _split(self, at: int) -> None:
        piece = self._sorted(at)
        upper = piece[_PIECE:]
        del piece[_PIECE:]
        self._bounds.insert(at, upper[0])
        self._pieces.insert(at + 1, upper)
        self._is_sorted.insert(at + 1, True)
