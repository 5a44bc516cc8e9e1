"""Kafka Streams for Python: a topology is data, a task decides, nothing waits. Pure: no event loop, no clock, no client."""
