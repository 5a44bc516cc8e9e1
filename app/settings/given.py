"""A value that was given for a setting, and where: still text, not yet judged."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.settings.variables import Setting


@dataclass(frozen=True, slots=True)
class Given:
    setting: Setting
    text: str = field(repr=False)
    name: str
    """How a fault names it: `APP_KAFKA__TOPIC`, `.env:3: APP_KAFKA__TOPIC`, `--kafka-topic`, a path."""
    origin: str
    """How `config` names it: `environment APP_KAFKA__TOPIC`, `file /run/secrets/…`."""
    file: Path | None = None
    """The file that held nothing but this value."""


Layer = Mapping[str, Given]
"""What one source gave: dotted path → value."""


def shown(text: str) -> str:
    """A value in quotes, on one line, short, without the user name and password that a URL may hold."""
    text = re.sub(r"(?s)^(.*?//)?.*@", r"\1***@", text)
    return repr(text if len(text) <= 80 else text[:77] + "…")


def printable(name: str) -> str:
    """A name that comes from outside, safe to print."""
    return name if name.isprintable() and len(name) <= 120 else shown(name)
