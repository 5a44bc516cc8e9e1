"""All sources → one frozen tree, or every fault at once.

flags > APP_… > KAFKA_… > .env > secrets directory > defaults
"""

from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from app.errors import ConfigError
from app.settings import certificates, envfile, environment, faults, files, flags, rules
from app.settings.given import Given, Layer
from app.settings.model import SettingsTree
from app.settings.variables import BY_PATH

ENV_FILE: Final = Path(".env")
DEFAULT: Final = "default"


class Settings(BaseSettings, SettingsTree):  # type: ignore[misc]  # both have a model_config; pydantic merges them
    """The tree, filled by pydantic-settings from our sources."""


@dataclass(frozen=True, slots=True)
class Loaded:
    settings: SettingsTree
    origins: Mapping[str, str]
    """Dotted path → where the value came from; every setting is there."""
    files: Mapping[str, Path]
    """Dotted path → the file that held nothing but the value: read it again to follow a rotated secret."""

    def was_set(self, path: str) -> bool:
        return self.origins[path] != DEFAULT

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that is set, for the log to star."""
        values = (attrgetter(path)(self.settings) for path, setting in BY_PATH.items() if setting.secret)
        return tuple(value.get_secret_value() for value in values if value is not None)


def load(argv: Sequence[str], environ: Mapping[str, str], switches: Collection[str] = ()) -> Loaded:
    """Flags and environment → settings. `argv` holds flags only; `switches` are the command's own, for suggestions.

    Raises UsageError for an unknown flag, ConfigError with a line for each fault otherwise.
    """
    layers, wrong = _sources(flags.parse(argv, switches), environ)
    given = ChainMap(*(dict(layer) for layer in layers.values()))
    empty = {path for path, value in given.items() if _empty(value)}
    wrong += [faults.of_empty(value) for path, value in given.items() if path in empty]
    settings, more = _validated(layers, given, without=empty)
    wrong += more
    if settings is not None and not wrong:
        found = (*rules.faults(settings, given), *certificates.faults(settings.kafka))
        wrong += [f"{_name(path, given)}: {words}" for path, words in found]
    if settings is None or wrong:
        raise ConfigError("\n".join(wrong))
    return Loaded(
        settings,
        {path: given[path].origin if path in given else DEFAULT for path in BY_PATH},
        {path: value.file for path, value in given.items() if value.file is not None},
    )


def _sources(from_flags: Layer, environ: Mapping[str, str]) -> tuple[dict[str, Layer], list[str]]:
    """What every source gave, strongest first."""
    outside = environment.read(environment.environment(environ))
    lines, wrong = envfile.read_lines(ENV_FILE)
    inside = environment.read(lines)
    secrets, unusable = _secrets(outside.secrets_directory or inside.secrets_directory)
    layers = {
        "flags": from_flags,
        "environment APP_…": outside.app,
        "environment KAFKA_…": outside.kafka,
        ".env APP_…": inside.app,
        ".env KAFKA_…": inside.kafka,
        "secrets directory": secrets,
    }
    wrong = [*outside.faults, *wrong, *inside.faults, *inside.misspelt.values(), *unusable]
    # Without bootstrap servers a private Kafka is started; nobody who meant to give some should get that.
    if not any("kafka.bootstrap_servers" in layer for layer in layers.values()) and not inside.misspelt:
        wrong += [fault for alias, fault in outside.misspelt.items() if alias == "KAFKA_BOOTSTRAP_SERVERS"]
    return layers, wrong


def _secrets(variable: environment.Variable | None) -> tuple[Layer, list[str]]:
    if variable is None:
        return {}, []
    if not variable.value:
        return {}, [f"{variable.label}: is set but empty; give a directory, or unset it"]
    path = Path(variable.value)
    if path.exists() and not path.is_dir():
        return {}, [f"{variable.label}: is not a directory"]
    return files.secrets_directory(path)


def _validated(
    layers: Mapping[str, Layer], given: Mapping[str, Given], without: Collection[str]
) -> tuple[SettingsTree | None, list[str]]:
    """`without`: paths whose fault is known. No layer may give them, lest a weaker one be judged in their place."""
    kept = {name: [value for path, value in layer.items() if path not in without] for name, layer in layers.items()}
    try:
        return Settings(_build_sources=(tuple(_Source(*named) for named in kept.items()), {})), []
    except ValidationError as error:
        return None, faults.of_values(error, given)


class _Source(PydanticBaseSettingsSource):
    """A layer as pydantic-settings wants it. Secrets are wrapped first: its debug log prints what sources return."""

    def __init__(self, name: str, values: Iterable[Given]) -> None:
        super().__init__(Settings)
        self.__name__ = name  # what that log calls it
        self._values: dict[str, Any] = {}
        for given in values:
            *sections, last = given.setting.keys
            target = self._values
            for section in sections:
                target = target.setdefault(section, {})
            target[last] = SecretStr(given.text) if given.setting.secret else given.text

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _empty(given: Given) -> bool:
    """Set to nothing, where nothing is no value. A secret of blanks is a secret."""
    setting = given.setting
    blank = not given.text if setting.secret else not given.text.strip()
    return blank and setting.default != ""


def _name(path: str, given: Mapping[str, Given]) -> str:
    return given[path].name if path in given else BY_PATH[path].variable
