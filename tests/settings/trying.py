"""What a user would see of settings."""

from collections.abc import Mapping, Sequence

import pytest

from app.errors import ConfigError, UsageError
from app.settings import SettingsTree, load


def settings(environ: Mapping[str, str], argv: Sequence[str] = ()) -> SettingsTree:
    return load(argv, environ).settings


def faults(environ: Mapping[str, str], argv: Sequence[str] = ()) -> list[str]:
    """The lines of a refusal."""
    with pytest.raises(ConfigError) as refusal:
        load(argv, environ)
    return str(refusal.value).split("\n")


def misuse(*argv: str) -> str:
    with pytest.raises(UsageError) as refusal:
        load(argv, {})
    return str(refusal.value)
