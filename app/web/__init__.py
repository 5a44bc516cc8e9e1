"""Probes, metrics and the page. Knows neither roles nor Kafka: it is given a function that returns statistics."""

from app.web.server import bind, create_app, serve, url

__all__ = ["bind", "create_app", "serve", "url"]
