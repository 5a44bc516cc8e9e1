"""Reads compose.yaml, and turns the environment of its broker into what the broker's image makes of it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose.yaml"

# The image hands these to the JVM and takes every other KAFKA_ variable for a property.
FOR_THE_JVM = frozenset({"KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS"})


def services() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(COMPOSE)["services"]
    return found


def environment(service: str) -> dict[str, str]:
    """As the container sees it."""
    return {name: str(value) for name, value in services()[service].get("environment", {}).items()}


def properties(environ: Mapping[str, str]) -> dict[str, str]:
    """KAFKA_A_B__C___D → a.b_c-d, as the image names them."""
    signs = {"_": ".", "__": "_", "___": "-"}
    return {
        re.sub("_{1,3}", lambda run: signs[run[0]], name.removeprefix("KAFKA_")).lower(): value
        for name, value in environ.items()
        if name.startswith("KAFKA_") and name not in FOR_THE_JVM
    }


def listener_ports(settings: Mapping[str, str]) -> dict[str, int]:
    """Listener → its port."""
    pairs = (listener.split("://") for listener in settings["listeners"].split(","))
    return {name: int(address.rpartition(":")[2]) for name, address in pairs}


def moved(text: str, ports: Mapping[int, int]) -> str:
    """With every address in `text` at 127.0.0.1 and its new port."""
    return re.sub(r"(?<=[/@])[a-z]*:(\d+)", lambda address: f"127.0.0.1:{ports[int(address[1])]}", text)
