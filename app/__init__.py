"""Every role of a small Kafka system in one asyncio process."""

__version__ = "0.1.0"
