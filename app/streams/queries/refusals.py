"""Why a question has no answer here, and where there may be one (M7, M9).

QueryRefused
├── InvalidQuestion   the question itself
├── UnknownStore      the topology has no store of that name
├── UnknownKey        the store has no row of that key
├── StoreRestoring    it is here, and not read back from its changelog yet
├── NotUpToBound      the rows here are older than was asked for
├── NotHere           another instance has it
└── NoOwner           no instance has it now: the group is making up its mind
"""

from __future__ import annotations

from app.streams.errors import StreamsError


class QueryRefused(StreamsError):
    """error: what is not possible. why: the reason. where: who could answer, or what to change."""

    error = "the question was refused"

    def __init__(self, why: str, where: str = "") -> None:
        self.why, self.where = why, where
        super().__init__(": ".join(part for part in (self.error, why, where) if part))


class InvalidQuestion(QueryRefused):
    error = "the question cannot be understood"


class UnknownStore(QueryRefused):
    error = "there is no such store"


class UnknownKey(QueryRefused):
    error = "there is no such key"


class StoreRestoring(QueryRefused):
    error = "the store is being restored"


class NotUpToBound(QueryRefused):
    error = "the store is not as far as the bound"


class NotHere(QueryRefused):
    error = "the store's partition is not here"


class NoOwner(QueryRefused):
    error = "no instance has the store's partition now"
