"""Kafka Streams for Python: a topology is data, a task decides, nothing waits. No event loop, no clock, no client."""
