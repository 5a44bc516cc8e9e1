"""Rows that no request may hold: the production handler is asked (N2), a store's own rows are never given up."""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.kafka.dead_letters import PREFIX, Letter, shrink, size_of
from app.kafka.writing import RowTooLarge
from app.streams.config import ErrorContext, Stage
from app.streams.model import Headers, Row
from app.streams.topology.topology import Topology

log = logging.getLogger(__name__)

REASON_BYTES = 16_384
"""Kept of each header that says why: a message may quote the whole record, and the stack trace quotes the message."""
BATCH_BYTES = 128
"""More than what a batch of one record has besides it."""


def refusals(topology: Topology) -> Callable[[Row, RowTooLarge], Row | None]:
    """What `RowWriter` asks: the dead letter to send in place of a row, or None; raises RowTooLarge to end the task."""
    kept = {topology.topic_name(topic) for topic in topology.internal} | {
        topology.changelog(store) for store in topology.stores
    }
    config = topology.config

    def refused(row: Row, error: RowTooLarge) -> Row | None:
        if row.topic in kept:
            raise error
        if row.topic == config.dead_letter_topic:
            # The record was judged already: what is left is to keep as much of it as can be sent.
            smaller = fitting(row, error.limit)
            if smaller == row:
                raise error
            log.warning("a dead letter of %d bytes is too large for %s: it is kept shortened", error.size, row.topic)
            return smaller
        letter = () if config.dead_letter_topic is None else (_letter(config.dead_letter_topic, row, error),)
        timestamp = -1 if row.timestamp is None else row.timestamp
        where = ErrorContext(Stage.PRODUCTION, None, -1, -1, row.headers, timestamp, row.topic, "", row.key, None)
        verdict = config.production_handler(where, error, letter)
        if not verdict.resume:
            raise error
        return verdict.rows[0] if verdict.rows else None

    return refused


def _letter(topic: str, row: Row, error: RowTooLarge) -> Row:
    """Without a place that it came from, which is known no more once it is a row."""
    kind = type(error)
    reasons: Headers = (
        (PREFIX + "exception", f"{kind.__module__}.{kind.__qualname__}".encode()),
        (PREFIX + "message", str(error).encode()),
    )
    return fitting(Row(topic, None, row.key, row.value, row.timestamp, row.headers + reasons), error.limit)


def fitting(letter: Row, limit: int) -> Row:
    """In no more than `limit` bytes: first the reasons are cut, then the record, with its digest, as C's letters are:
    nobody is to take what is left for the record itself. The same again where nothing more can be cut."""
    headers = [(name, _cut(data) if name.startswith(PREFIX) else data) for name, data in letter.headers]
    whole = Letter(-1, 0, letter.key, letter.value, headers)
    kept = whole if size_of(whole) + BATCH_BYTES <= limit else shrink(whole)
    return Row(letter.topic, letter.partition, kept.key, kept.value, letter.timestamp, tuple(kept.headers))


def _cut(data: bytes | None) -> bytes | None:
    return None if data is None else data[:REASON_BYTES]
