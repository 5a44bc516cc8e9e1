"""Names of variables → settings: the environment and `.env` are read by the same rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

from app.settings.files import Unreadable, content, unread
from app.settings.given import Given, Layer, printable
from app.settings.variables import BY_ALIAS, BY_VARIABLE, PREFIX, SECRETS_DIRECTORY, SETTINGS, Setting, closest

_FILE: Final = "_FILE"
_OTHERS_SERVERS: Final = ("KAFKA_BROKERS", "KAFKA_BROKER", "KAFKA_SERVERS", "KAFKA_HOSTS")
"""What other programs call the bootstrap servers."""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    value: str | None = field(repr=False)
    """None: the name stands alone, without `=`."""
    line: str = ""
    """`.env:3`, for a variable that is not from the environment."""

    @property
    def label(self) -> str:
        name = printable(self.name)
        return f"{self.line}: {name}" if self.line else name

    @property
    def origin(self) -> str:
        return f"{self.line} {self.name}" if self.line else f"environment {self.name}"


@dataclass(frozen=True, slots=True)
class Variables:
    app: Layer
    kafka: Layer
    """From the KAFKA_… aliases: weaker than `app`."""
    secrets_directory: Variable | None
    misspelt: Mapping[str, str]
    """Alias that was probably meant → the fault; not every KAFKA_… name is for us, so the caller decides."""
    faults: tuple[str, ...]


def environment(environ: Mapping[str, str]) -> list[Variable]:
    return [Variable(name, value) for name, value in environ.items()]


def read(variables: Iterable[Variable]) -> Variables:
    """Judges names, reads `…_FILE`s; the values are not looked at."""
    app: dict[str, Given] = {}
    kafka: dict[str, Given] = {}
    seen: dict[tuple[str, str], Variable] = {}
    misspelt: dict[str, str] = {}
    faults: list[str] = []
    directory = None
    for variable in variables:
        name = variable.name.upper()
        ours = name.startswith(PREFIX)
        found = _named(name, BY_VARIABLE if ours else BY_ALIAS)
        if name == SECRETS_DIRECTORY:
            directory = variable
        elif found is not None:
            setting, from_file = found
            first = seen.setdefault((setting.path, "app" if ours else "kafka"), variable)
            if first is not variable:
                faults.append(_twice(first, variable))
            else:
                _take(variable, setting, app if ours else kafka, faults, from_file=from_file)
        elif ours and not _injected(name):
            faults.append(f"{variable.label}: is not a setting{_meant(name)}")
        elif (alias := _nearest_alias(name)) is not None:
            misspelt[alias] = f"{variable.label}: is not a setting; did you mean {alias}?"
    return Variables(app, kafka, directory, misspelt, tuple(faults))


def _named(name: str, known: Mapping[str, Setting]) -> tuple[Setting, bool] | None:
    """The setting that a variable is for, and whether its value stands in a file."""
    if name in known:
        return known[name], False
    if name.endswith(_FILE) and name.removesuffix(_FILE) in known:
        return known[name.removesuffix(_FILE)], True
    return None


def _take(variable: Variable, setting: Setting, layer: dict[str, Given], faults: list[str], *, from_file: bool) -> None:
    if variable.value is None:
        faults.append(f"{variable.label}: has no value")
    elif not from_file:
        layer[setting.path] = Given(setting, variable.value, variable.label, variable.origin)
    elif not variable.value:
        faults.append(f"{variable.label}: is set but empty; give the path of a file, or unset it")
    else:
        path = Path(variable.value)
        try:
            text = content(path, secret=setting.secret)
        except Unreadable as why:
            faults.append(f"{variable.label}: {unread(variable.value, why)}")
        else:
            origin = f"file {printable(variable.value)} ({variable.origin})"
            layer[setting.path] = Given(setting, text, variable.label, origin, path)


def _twice(first: Variable, second: Variable) -> str:
    one, other = sorted((first, second), key=lambda variable: len(variable.name))
    return f"{one.label}: is set together with {other.label}; keep one"


def _injected(name: str) -> bool:
    """Kubernetes tells every pod of a Service named `app` by these names."""
    return name == "APP_PORT" or name.startswith(("APP_PORT_", "APP_SERVICE_"))


def _meant(name: str) -> str:
    sections = {"__".join(setting.keys[:-1]).upper() for setting in SETTINGS}
    section = name.removeprefix(PREFIX)
    if section and section in sections:
        example = next(known for known in BY_VARIABLE if known.startswith(f"{name}__"))
        return f"; set its members, such as {example}"
    stem = name.removesuffix(_FILE)
    nearest = closest(stem, [*BY_VARIABLE, SECRETS_DIRECTORY])
    if nearest is None:
        return "; python -m app --help lists them"
    return f"; did you mean {nearest}{_FILE if stem != name and nearest != SECRETS_DIRECTORY else ''}?"


def _nearest_alias(name: str) -> str | None:
    if name in _OTHERS_SERVERS:
        return "KAFKA_BOOTSTRAP_SERVERS"
    stem = name.removesuffix(_FILE)
    if not stem.startswith("KAF"):
        return None
    nearest = max(BY_ALIAS, key=lambda alias: SequenceMatcher(None, stem, alias).ratio())
    return nearest if SequenceMatcher(None, stem, nearest).ratio() >= 0.9 else None
