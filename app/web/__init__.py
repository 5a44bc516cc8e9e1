"""Probes, metrics, the page and questions to stores. Knows neither roles nor Kafka: it is given functions to ask."""

from app.web.access import StreamsAccess
from app.web.server import bind, create_app, serve, url

__all__ = ["StreamsAccess", "bind", "create_app", "serve", "url"]
