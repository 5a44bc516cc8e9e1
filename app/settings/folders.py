"""Where programs of this user keep their files, and where below it the state of a stream application lies."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.errors import ConfigError
from app.settings.model import StreamsSettings

FOLDER: Final = "kafka-demo"


def user_folder(kind: str, environ: Mapping[str, str], platform: str) -> Path:
    """Where programs of this user keep files of a `kind`: "data" or "cache". Raises ConfigError."""
    if platform == "darwin":
        return _user_home() / "Library" / {"data": "Application Support", "cache": "Caches"}[kind] / FOLDER
    chosen = environ.get({"data": "XDG_DATA_HOME", "cache": "XDG_CACHE_HOME"}[kind], "")
    # The XDG specification: a relative path is to be ignored.
    if chosen.startswith("/"):
        return Path(chosen) / FOLDER
    return _user_home() / {"data": ".local/share", "cache": ".cache"}[kind] / FOLDER


def state_home(options: StreamsSettings) -> Path:
    """The state directory (`state.dir`); that of the application is below it, by its id. Raises ConfigError."""
    return (options.state_dir or user_folder("data", os.environ, sys.platform) / "streams").absolute()


def _user_home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigError(
            "this user has no home directory to keep files in",
            try_next="set APP_STREAMS__STATE_DIR, and APP_BROKER__DATA_DIR with APP_BROKER__CACHE_DIR or "
            "APP_KAFKA__BOOTSTRAP_SERVERS",
        ) from error
