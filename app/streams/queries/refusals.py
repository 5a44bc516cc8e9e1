"""Why a question has no answer here, and where there may be one (M7, M9)."""

from __future__ import annotations

from app.streams.errors import StreamsError


class QueryRefused(StreamsError):
    """error: what is not possible, the same for all of a kind. why: the reason. where: who could answer, or what to
    change."""

    error: str

    def __init__(self, why: str, where: str = "") -> None:
        self.why, self.where = why, where
        super().__init__(": ".join(part for part in (self.error, why, where) if part))

    def __init_subclass__(cls, *, error: str) -> None:
        cls.error = error


class InvalidQuestion(QueryRefused, error="the question cannot be understood"):
    """The question itself, wherever it is asked."""


class UnknownStore(QueryRefused, error="there is no such store"):
    """The topology has none of that name."""


class UnknownKey(QueryRefused, error="there is no such key"):
    """The store has no row of it."""


class StoreRestoring(QueryRefused, error="the store is being restored"):
    """It is here, and not read back from its changelog yet."""


class NotUpToBound(QueryRefused, error="the store is not as far as the bound"):
    """The rows here are older than was asked for."""


class NotHere(QueryRefused, error="the store's partition is not here"):
    """Another instance has it."""


class NoOwner(QueryRefused, error="no instance has the store's partition now"):
    """The group is making up its mind, or the partition moved while the question was asked."""
