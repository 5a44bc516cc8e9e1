"""A scenario's `config` as the engine's settings (FORMAT §2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.streams.config import ALL_OPTIMIZATIONS, Optimization, StreamsConfig, fail, record_time, skip
from app.streams.serdes import utf8
from tests.conformance.lambdas import extractor
from tests.conformance.values import UnknownName, serde

HANDLERS = {"continue": skip, "fail": fail}

# Kafka's own names that scenarios may set in `props`: the field, and how its text is read.
PROPS: dict[str, tuple[str, Any]] = {
    "__emit.interval.ms.kstreams.windowed.aggregation__": ("window_emit_interval", int),
    "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": ("outer_join_emit_interval", int),
    "__enable.process.processValue.fix__": ("processors_change_values", lambda text: text == "true"),
    "__internal.override.topic.prefix__": ("topic_prefix", str),
    "dsl.store.format": ("headers_in_stores", lambda text: text.lower() == "headers"),
    "ensure.explicit.internal.resource.naming": ("explicit_names", lambda text: text == "true"),
    "max.task.idle.ms": ("max_task_idle", int),
    "windowstore.changelog.additional.retention.ms": ("changelog_extra_retention", int),
}


def settings(config: Mapping[str, Any], *, log_every_put: bool) -> StreamsConfig:
    """Raises UnknownName for a setting this interpreter does not know."""
    unknown = set(config) - KNOWN
    if unknown:
        raise UnknownName(f"config {', '.join(sorted(unknown))}")
    extra: dict[str, Any] = {}
    for name, value in config.get("props", {}).items():
        if name not in PROPS:
            raise UnknownName(f"config props {name}")
        field, read = PROPS[name]
        extra[field] = read(value)
    return StreamsConfig(
        application_id="app",
        optimization=_optimization(config.get("optimization", "none")),
        default_key=serde(config.get("default_key")) or utf8,
        default_value=serde(config.get("default_value")) or utf8,
        default_extractor=extractor(config.get("default_extractor")) or record_time,
        deserialization_handler=HANDLERS[config.get("deserialization_handler", "fail")],
        processing_handler=HANDLERS[config.get("processing_handler", "fail")],
        dead_letter_topic=config.get("dead_letter_topic"),
        persistent_stores=config.get("store", "rocksdb") == "rocksdb",
        cache_bytes=config.get("cache_bytes", 0),
        log_every_put=log_every_put,
        # Java's operators forget them in a restart.
        remember_times=False,
        **extra,
    )


KNOWN = {
    "optimization",
    "cache_bytes",
    "default_key",
    "default_value",
    "default_extractor",
    "deserialization_handler",
    "processing_handler",
    "dead_letter_topic",
    "store",
    "props",
}


def _optimization(text: str) -> frozenset[Optimization]:
    if text == "none":
        return frozenset()
    if text == "all":
        return ALL_OPTIMIZATIONS
    try:
        return frozenset(Optimization(part.strip()) for part in text.split(","))
    except ValueError as cause:
        raise UnknownName(f"optimization {text}") from cause
