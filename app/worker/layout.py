"""What decides how the bytes of a task's stores are to be read, as a digest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from hashlib import sha256
from typing import Final

from app.streams.topology.topology import Topology

# Serdes have no identity that outlives a process, and a changelog written with another one is as foreign as the state:
# rebuilding would not help. The others decide what is written, or where, and not what is there.
_NO_MATTER: Final = frozenset({"key", "value", "right_value", "caching", "logging", "log_config", "log_headers"})


def layout_digest(topology: Topology, stores: Collection[str]) -> str:
    """Of these stores: their kinds, their options, the topics that positions count in."""
    lines = [f"headers {topology.config.headers_in_stores}"]
    for name in sorted(stores):
        spec = topology.stores[name]
        options = {each.name: getattr(spec, each.name) for each in fields(spec) if each.name not in _NO_MATTER}
        lines.append(f"{type(spec).__name__} {sorted(options.items())} {topology.changelog(name)}")
    return sha256("\n".join(lines).encode()).hexdigest()
