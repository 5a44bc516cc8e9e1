"""A private Apache Kafka on this machine, for who has none.

jars, fetching   Kafka's files: pinned, verified, cached
java             a Java that can run them
home             the directory where a broker lives: data, ports, log, lock
properties       server.properties and the command lines, as values
guardian         the process that owns the JVM and outlives nobody who uses it
seats            a user's connection to the guardian
embedded         all of it together: `async with embedded(…) as broker`
"""

from app.broker.embedded import Broker, embedded
from app.broker.properties import Extra

__all__ = ["Broker", "Extra", "embedded"]
