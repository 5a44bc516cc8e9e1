"""Tests of topologies without a broker: records in, records out (P1-P5)."""

from app.streams.testing.driver import CommitEvery, Driver
from app.streams.testing.pipes import InputTopic, OutputTopic

__all__ = ["CommitEvery", "Driver", "InputTopic", "OutputTopic"]
