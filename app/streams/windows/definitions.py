"""Kinds of windows as values (D1-D11). All times in ms. Nothing late is accepted unless grace is given (D3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

LARGEST_LONG: Final = 2**63 - 1


class Emit(Enum):
    """When a windowed aggregate hands on results (D13, D14)."""

    ON_UPDATE = "each update"
    ON_CLOSE = "the final result, once the window can change no more"


# Every kind of window that is aggregated answers three questions:
#   span: the length its store writes windows with; `end - start`, but for sessions, which have none.
#   least_retention: how long its store must keep rows, and does if not told otherwise (D12).
#   closes_after: how far stream time must pass a window's end before no record can change it any more (G2).


@dataclass(frozen=True, slots=True)
class Hopping:
    """[start, start + size), a new one every `advance`, aligned to the epoch (D1)."""

    size: int
    advance: int
    grace: int = 0

    def __post_init__(self) -> None:
        _positive("the size of a window", self.size)
        if not 0 < self.advance <= self.size:
            raise ValueError(f"the advance of a window must be between 1 and its size {self.size}, got {self.advance}")
        _not_negative("grace", self.grace)

    @property
    def span(self) -> int:
        return self.size

    @property
    def least_retention(self) -> int:
        return self.size + self.grace

    @property
    def closes_after(self) -> int:
        return self.grace


@dataclass(frozen=True, slots=True)
class Tumbling:
    """[start, start + size), one after the other (D1)."""

    size: int
    grace: int = 0

    def __post_init__(self) -> None:
        _positive("the size of a window", self.size)
        _not_negative("grace", self.grace)

    @property
    def advance(self) -> int:
        return self.size

    @property
    def span(self) -> int:
        return self.size

    @property
    def least_retention(self) -> int:
        return self.size + self.grace

    @property
    def closes_after(self) -> int:
        return self.grace


@dataclass(frozen=True, slots=True)
class Sliding:
    """[start, start + difference], both ends inclusive, one per distinct content (D7)."""

    difference: int
    grace: int = 0

    def __post_init__(self) -> None:
        _not_negative("the difference of sliding windows", self.difference)
        _not_negative("grace", self.grace)

    @property
    def span(self) -> int:
        return self.difference

    @property
    def least_retention(self) -> int:
        # The earliest window that a record may have to be told of starts two differences before it.
        return 2 * self.difference + self.grace

    @property
    def closes_after(self) -> int:
        return self.grace


@dataclass(frozen=True, slots=True)
class Sessions:
    """[first, last record], merged while no gap between records is longer than `gap` (D4)."""

    gap: int
    grace: int = 0

    def __post_init__(self) -> None:
        _not_negative("the gap of sessions", self.gap)
        _not_negative("grace", self.grace)

    @property
    def least_retention(self) -> int:
        return self.gap + self.grace

    @property
    def closes_after(self) -> int:
        return self.gap + self.grace


@dataclass(frozen=True, slots=True)
class Unlimited:
    """One window [start, ∞); records before its start belong to none (D11)."""

    start: int = 0

    def __post_init__(self) -> None:
        _not_negative("the start of unlimited windows", self.start)

    @property
    def span(self) -> int:
        return LARGEST_LONG

    @property
    def least_retention(self) -> int:
        return LARGEST_LONG

    @property
    def closes_after(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class JoinWindows:
    """A right record joins if it is at most `before` older and at most `after` younger than the left one (F8)."""

    before: int
    after: int
    grace: int = 0

    def __post_init__(self) -> None:
        if self.before + self.after < 0:
            raise ValueError(f"a join window must not end before it begins: before {self.before}, after {self.after}")
        _not_negative("grace", self.grace)

    @classmethod
    def within(cls, difference: int, grace: int = 0) -> JoinWindows:
        """As far into the past as into the future (Java: ofTimeDifferenceAndGrace)."""
        _not_negative("the difference of a join window", difference)
        return cls(difference, difference, grace)


# Windows whose bounds are fixed, so that their store needs no end of theirs.
FixedWindows: TypeAlias = Tumbling | Hopping | Sliding | Unlimited
Windows: TypeAlias = FixedWindows | Sessions


def _positive(what: str, value: int) -> None:
    if value <= 0:
        raise ValueError(f"{what} must be positive, got {value} ms")


def _not_negative(what: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{what} cannot be negative, got {value} ms")
