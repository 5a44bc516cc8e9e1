"""Rows that no request may hold: the production handler is asked (N2), a store's own rows are never given up."""

from __future__ import annotations

from collections.abc import Callable

from app.kafka.writing import RowTooLarge
from app.streams.config import ErrorContext, Stage
from app.streams.model import Row
from app.streams.topology.topology import Topology


def refusals(topology: Topology) -> Callable[[Row, RowTooLarge], Row | None]:
    """What `RowWriter` asks: the dead letter to send in place of a row, or None; raises RowTooLarge to end the task."""
    kept = {topology.topic_name(topic) for topic in topology.internal} | {
        topology.changelog(store) for store in topology.stores
    }
    config = topology.config

    def refused(row: Row, error: RowTooLarge) -> Row | None:
        if row.topic in kept:
            raise error
        reason = (("__streams.errors.message", str(error).encode()),)
        # The value is what does not fit; where it came from is known no more once it is a row.
        letter = (
            ()
            if config.dead_letter_topic is None
            else (Row(config.dead_letter_topic, None, row.key, None, row.timestamp, row.headers + reason),)
        )
        where = ErrorContext(
            Stage.PRODUCTION, None, -1, -1, row.headers, row.timestamp or -1, row.topic, "", row.key, None
        )
        verdict = config.production_handler(where, error, letter)
        if not verdict.resume:
            raise error
        return verdict.rows[0] if verdict.rows else None

    return refused
