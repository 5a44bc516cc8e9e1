"""Scenarios with what Java Kafka Streams did, replayed on this engine: `python -m tests.conformance PATH…`."""

from tests.conformance.steps import topology

__all__ = ["topology"]
