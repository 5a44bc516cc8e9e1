"""Asking a store for what is committed: a question as text, rows as plain JSON values. Serves any task's stores, also
those of a task that was never started (a standby)."""

from app.streams.queries.keys import Keys
from app.streams.queries.places import At, Here, Place, Refused
from app.streams.queries.positions import Positions
from app.streams.queries.question import LARGEST_LIMIT, Cursor, Question, asked
from app.streams.queries.reading import Budget, CommittedStore, Part, is_readable
from app.streams.queries.refusals import (
    InvalidQuestion,
    NoOwner,
    NotHere,
    NotUpToBound,
    QueryRefused,
    StoreRestoring,
    UnknownKey,
    UnknownStore,
)

__all__ = [
    "LARGEST_LIMIT",
    "At",
    "Budget",
    "CommittedStore",
    "Cursor",
    "Here",
    "InvalidQuestion",
    "Keys",
    "NoOwner",
    "NotHere",
    "NotUpToBound",
    "Part",
    "Place",
    "Positions",
    "QueryRefused",
    "Question",
    "Refused",
    "StoreRestoring",
    "UnknownKey",
    "UnknownStore",
    "asked",
    "is_readable",
]
