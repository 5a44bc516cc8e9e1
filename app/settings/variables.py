"""The table of settings, read off the model: what each is called in the environment and on the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from app.settings.model import SettingsTree

PREFIX: Final = "APP_"
SECRETS_DIRECTORY: Final = "APP_SECRETS_DIR"
STARS: Final = "********"

ALIASES: Final = {
    "kafka.bootstrap_servers": "KAFKA_BOOTSTRAP_SERVERS",
    "kafka.security_protocol": "KAFKA_SECURITY_PROTOCOL",
    "kafka.sasl_mechanism": "KAFKA_SASL_MECHANISM",
    "kafka.sasl_username": "KAFKA_SASL_USERNAME",
    "kafka.sasl_password": "KAFKA_SASL_PASSWORD",
    "kafka.ssl_cafile": "KAFKA_SSL_CAFILE",
    "kafka.ssl_certfile": "KAFKA_SSL_CERTFILE",
    "kafka.ssl_keyfile": "KAFKA_SSL_KEYFILE",
    "kafka.ssl_keypassword": "KAFKA_SSL_KEYPASSWORD",
    "kafka.client_id": "KAFKA_CLIENT_ID",
    "kafka.topic": "KAFKA_TOPIC",
    "c.group_id": "KAFKA_GROUP_ID",
}
"""The names that other Kafka programs use. Any other KAFKA_… belongs to the broker's image or to Kubernetes."""


@dataclass(frozen=True, slots=True)
class Setting:
    path: str
    """Dotted, as in `kafka.bootstrap_servers`."""
    section: str
    """Heading in the documentation."""
    variable: str
    alias: str | None
    flag: str | None
    """None for a secret: anyone on the machine can read a command line."""
    secret: bool
    listed: bool
    """Several values, separated by commas."""
    switch: bool
    """True or false."""
    choices: tuple[str, ...]
    default: str | None
    """As one would write it; None: unset."""
    allowed: str
    """Bounds or choices in words; empty: see the description."""
    description: str

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.path.split("."))


def written(value: object) -> str | None:
    """A value as one would write it into a variable; secrets starred, None for unset."""
    match value:
        case None:
            return None
        case SecretStr():
            return STARS
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(str(entry) for entry in value)
        case _:
            return str(value)


def closest(word: str, known: Sequence[str], likeness: float = 0.7) -> str | None:
    """The known word that was probably meant. Case and the kind of dash do not count as differences."""
    plain = {name.upper().replace("-", "_"): name for name in known}
    found = get_close_matches(word.upper().replace("-", "_")[:200], plain, n=1, cutoff=likeness)
    return plain[found[0]] if found else None


def _settings(model: type[BaseModel], keys: tuple[str, ...], section: str) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            heading = (field.annotation.__doc__ or name).partition("\n")[0].removesuffix(".")
            yield from _settings(field.annotation, (*keys, name), heading)
        else:
            yield _setting(field, (*keys, name), section)


def _setting(field: FieldInfo, keys: tuple[str, ...], section: str) -> Setting:
    path = ".".join(keys)
    types = set(_types(field.annotation))
    secret = SecretStr in types
    return Setting(
        path=path,
        section=section,
        variable=PREFIX + "__".join(keys).upper(),
        alias=ALIASES.get(path),
        flag=None if secret else "--" + "-".join(keys).replace("_", "-"),
        secret=secret,
        listed=tuple in types,
        switch=bool in types,
        choices=tuple(_choices(field.annotation)),
        default=written(field.default),
        allowed=_allowed(field, types),
        description=field.description or "",
    )


def _types(annotation: Any) -> Iterator[object]:
    """The plain types inside an annotation: `Annotated[tuple[X, …], …] | None` holds tuple and X."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _types(get_args(annotation)[0])
    elif origin in (Union, UnionType, tuple):
        if origin is tuple:
            yield tuple
        for argument in get_args(annotation):
            yield from _types(argument)
    elif annotation is not NoneType:
        yield annotation


def _choices(annotation: Any) -> Iterator[str]:
    for kind in _types(annotation):
        if get_origin(kind) is Literal:
            yield from get_args(kind)


def _allowed(field: FieldInfo, types: set[object]) -> str:
    if choices := tuple(_choices(field.annotation)):
        return ", ".join(choices)
    if bool in types:
        return "true, false"
    low = [mark.ge for mark in field.metadata if isinstance(mark, Ge)]
    high = [mark.le for mark in field.metadata if isinstance(mark, Le)]
    if low and high:
        return f"{_plain(low[-1])} to {_plain(high[-1])}"
    return f"{_plain(low[-1])} or more" if low else ""


def _plain(bound: object) -> str:
    return f"{bound:f}".rstrip("0") if isinstance(bound, float) else str(bound)


SETTINGS: Final = tuple(_settings(SettingsTree, (), "What this process does"))
BY_PATH: Final = {setting.path: setting for setting in SETTINGS}
BY_VARIABLE: Final = {setting.variable: setting for setting in SETTINGS}
BY_ALIAS: Final = {setting.alias: setting for setting in SETTINGS if setting.alias is not None}
BY_FLAG: Final = {setting.flag: setting for setting in SETTINGS if setting.flag is not None}
